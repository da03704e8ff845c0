/// Token accuracy over what the model wrote, not the prompt.
package struct ResponseAccuracy: LeakageMetric {
  package init() {}

  package let descriptor = MetricDescriptor(
    name: "response_accuracy", summary: "share of the model's answer that was guessed",
    definition:
      "token accuracy over positions that the model wrote (plan key dataset.responses), all documents together; undefined without",
    unit: "fraction", range: 0...1)

  package func score(_ document: ScoredDocument) -> Double? { statistics(document).map(aggregate) }
  package func statistics(_ document: ScoredDocument) -> [Double]? { hits(of: document, where: document.isResponse) }
}
