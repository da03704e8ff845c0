package import PrivateText

/// How much of the marked personal data was read without an error.
package struct PIIRecall: LeakageMetric {
  private let kind: PrivateEntity.Kind?

  /// - Parameter kind: nil counts every kind.
  package init(kind: PrivateEntity.Kind? = nil) {
    self.kind = kind
    let what = kind.map { "of kind \($0.rawValue)" } ?? "of any kind"
    descriptor = MetricDescriptor(
      name: kind.map { "pii_recall_\($0.rawValue)" } ?? "pii_recall", summary: "share of the marked personal data \(what) read exactly",
      definition: """
        entities \(what) whose whole text stands in the guesses at their own positions, over all such entities of all documents; letter case counts. \
        Undefined for data without marks
        """, unit: "fraction", range: 0...1)
  }

  package let descriptor: MetricDescriptor

  package func score(_ document: ScoredDocument) -> Double? { statistics(document).map(aggregate) }

  package func statistics(_ document: ScoredDocument) -> [Double]? {
    let own = (document.entities ?? []).filter { kind == nil || $0.kind == kind }
    guard !own.isEmpty else { return nil }
    return [Double(own.count { distanceToPart(of: $0.guess, from: $0.text) == 0 }), Double(own.count)]
  }
}
