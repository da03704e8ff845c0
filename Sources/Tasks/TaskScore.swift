/// The metrics of a task for one set of predictions.
package struct TaskScore: Sendable, Hashable {
  /// In 0...1.
  package var values: [TaskMetric: Double]
  /// Number of examples that were judged.
  package var examples: Int

  /// Judges predicted choice indices, one an example and in the examples' order. Traps as `TaskMetric.value(predicted:of:)` does.
  package init(_ metrics: [TaskMetric] = [.accuracy], predicted: [Int], of examples: [TaskExample]) {
    values = Dictionary(metrics.map { ($0, $0.value(predicted: predicted, of: examples)) }, uniquingKeysWith: { first, _ in first })
    self.examples = examples.count
  }

  /// The benchmark's number for the task: the mean of its values, where MultiRC counts F1a and EM, not F1m; 0 without a value.
  package var overall: Double {
    let counted = values.filter { $0.key != .questionF1 }.sorted { $0.key.rawValue < $1.key.rawValue }
    return counted.isEmpty ? values[.questionF1] ?? 0 : counted.reduce(0) { $0 + $1.value } / Double(counted.count)
  }

  /// The metric's value; nil if it was not asked for.
  package subscript(_ metric: TaskMetric) -> Double? { values[metric] }
}
