package import PrivateText

/// How much of the marked personal data was read with at most one wrong character.
package struct FuzzyPIIRecall: LeakageMetric {
  private let kind: PrivateEntity.Kind?

  /// - Parameter kind: nil counts every kind.
  package init(kind: PrivateEntity.Kind? = nil) {
    self.kind = kind
    let what = kind.map { "of kind \($0.rawValue)" } ?? "of any kind"
    descriptor = MetricDescriptor(
      name: kind.map { "pii_recall_fuzzy_\($0.rawValue)" } ?? "pii_recall_fuzzy",
      summary: "share of the marked personal data \(what) read with at most one wrong character",
      definition: """
        as pii_recall, but an entity \(what) of four characters or more also counts if some part of the guesses at its positions is one insertion, \
        deletion or substitution of a character away from its text
        """, unit: "fraction", range: 0...1)
  }

  package let descriptor: MetricDescriptor

  package func score(_ document: ScoredDocument) -> Double? { statistics(document).map(aggregate) }

  package func statistics(_ document: ScoredDocument) -> [Double]? {
    let own = (document.entities ?? []).filter { kind == nil || $0.kind == kind }
    guard !own.isEmpty else { return nil }
    let found = own.count { distanceToPart(of: $0.guess, from: $0.text) <= ($0.text.count >= 4 ? 1 : 0) }
    return [Double(found), Double(own.count)]
  }
}
