import TextScores

/// Overlap of the two bags of tokens: what leaked if word order does not matter.
package struct BagF1: LeakageMetric {
  package init() {}

  package let descriptor = MetricDescriptor(
    name: "bag_f1", summary: "bag: F1 of the two token multisets, order ignored",
    definition:
      "2 Σ_v min(truth count of v, guess count of v) / (#truth + #guess); a multiset, so repeats count, unlike set-based variants",
    unit: "fraction", range: 0...1)

  package func score(_ document: ScoredDocument) -> Double? {
    guard !document.truthTokens.isEmpty else { return nil }
    let overlap = bagOverlap(document.truthTokens, document.guessTokens)
    return 2 * Double(overlap) / Double(document.truthTokens.count + document.guessTokens.count)
  }
}
