/// Whether the whole document was recovered, token by token.
package struct ExactMatch: LeakageMetric {
  package init() {}

  package let descriptor = MetricDescriptor(
    name: "exact_match", summary: "share of documents recovered without one wrong token",
    definition: "1 if the guessed token ids equal the true ones, else 0", unit: "fraction", range: 0...1)

  package func score(_ document: ScoredDocument) -> Double? {
    document.truthTokens.isEmpty ? nil : document.truthTokens == document.guessTokens ? 1 : 0
  }
}
