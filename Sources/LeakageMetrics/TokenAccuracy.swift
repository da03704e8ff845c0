/// The share of positions whose token was recovered.
package struct TokenAccuracy: LeakageMetric {
  package init() {}

  package let descriptor = MetricDescriptor(
    name: "token_accuracy", summary: "share of positions whose token was guessed",
    definition: "#{t : guess[t] = truth[t]} / #truth, by position; a missing guess is wrong, a surplus one is ignored", unit: "fraction",
    range: 0...1)

  package func score(_ document: ScoredDocument) -> Double? {
    guard !document.truthTokens.isEmpty else { return nil }
    let hits = zip(document.truthTokens, document.guessTokens).count { $0 == $1 }
    return Double(hits) / Double(document.truthTokens.count)
  }
}
