/// Token accuracy where it is hard: at tokens that are rare in public text.
package struct RareTokenAccuracy: LeakageMetric {
  package init() {}

  /// Share of the public text that common tokens cover; every other token is rare.
  package static let commonShare = 0.8

  package let descriptor = MetricDescriptor(
    name: "rare_token_accuracy", summary: "share of rare tokens that were guessed",
    definition: """
      token accuracy over positions whose true token is rare, all documents together: rare tokens are those that are not among the most frequent ones \
      that together make up 80 % of the public text, so the tail of the remaining 20 %, and whatever the public text lacks. Undefined without public text
      """, unit: "fraction", range: 0...1)

  package func score(_ document: ScoredDocument) -> Double? { statistics(document).map(aggregate) }

  package func statistics(_ document: ScoredDocument) -> [Double]? { hits(of: document, where: document.isRare) }
}

/// [right guesses, positions] among the positions that are marked; nil if there are none.
func hits(of document: ScoredDocument, where marks: [Bool]?) -> [Double]? {
  guard let marks else { return nil }
  precondition(marks.count == document.truthTokens.count, "\(marks.count) marks for \(document.truthTokens.count) tokens")
  let chosen = marks.indices.filter { marks[$0] }
  guard !chosen.isEmpty else { return nil }
  let right = chosen.count { $0 < document.guessTokens.count && document.guessTokens[$0] == document.truthTokens[$0] }
  return [Double(right), Double(chosen.count)]
}
