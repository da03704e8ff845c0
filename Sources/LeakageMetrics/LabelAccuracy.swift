/// Token accuracy over the labels of the next-token loss: what gradients can tell.
package struct LabelAccuracy: LeakageMetric {
  package init() {}

  package let descriptor = MetricDescriptor(
    name: "label_accuracy", summary: "share of the training labels that were guessed",
    definition: "token accuracy over all positions but the first of each document, which are the labels of next-token training",
    unit: "fraction", range: 0...1)

  package func score(_ document: ScoredDocument) -> Double? { statistics(document).map(aggregate) }

  package func statistics(_ document: ScoredDocument) -> [Double]? {
    hits(of: document, where: document.truthTokens.indices.map { $0 > 0 })
  }
}
