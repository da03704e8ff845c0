/// How much of the marked personal data was read with at most one wrong character.
package struct FuzzyPIIRecall: LeakageMetric {
  package init() {}

  package let descriptor = MetricDescriptor(
    name: "pii_recall_fuzzy", summary: "share of the marked personal data read with at most one wrong character",
    definition: """
      as pii_recall, but an entity of four characters or more also counts if some part of the guesses at its positions is one insertion, deletion or \
      substitution of a character away from its text
      """, unit: "fraction", range: 0...1)

  package func score(_ document: ScoredDocument) -> Double? { statistics(document).map(aggregate) }

  package func statistics(_ document: ScoredDocument) -> [Double]? {
    guard let entities = document.entities, !entities.isEmpty else { return nil }
    let found = entities.count { distanceToPart(of: $0.guess, from: $0.text) <= ($0.text.count >= 4 ? 1 : 0) }
    return [Double(found), Double(entities.count)]
  }
}
