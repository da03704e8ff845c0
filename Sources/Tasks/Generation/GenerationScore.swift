/// The metrics of a task for one set of generated texts.
package struct GenerationScore: Sendable, Hashable {
  /// In 0...1, means over the examples.
  package var values: [GenerationMetric: Double]
  /// Number of examples that were judged.
  package var examples: Int

  /// Judges generated texts, one an example and in the examples' order. Traps for an empty list and unequal lengths.
  package init(_ metrics: [GenerationMetric], generated: [String], of examples: [GenerationExample]) {
    precondition(!examples.isEmpty && generated.count == examples.count, "\(generated.count) texts of \(examples.count) examples")
    values = Dictionary(
      metrics.map { metric in
        let sum = zip(generated, examples).reduce(0) { $0 + metric.value($1.0, references: $1.1.references) }
        return (metric, sum / Double(examples.count))
      }, uniquingKeysWith: { first, _ in first })
    self.examples = examples.count
  }

  /// The metric's value; nil if it was not asked for.
  package subscript(_ metric: GenerationMetric) -> Double? { values[metric] }
}
