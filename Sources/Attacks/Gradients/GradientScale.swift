import Foundation

/// The unknown factor α between a document's gradient as the loss has it, summed over its labels, and as it was sent: one over the loss's divisor
/// times what clipping left. Gaussian belief, updated by every row whose label is settled: α is that of least squares over all of them.
package struct GradientScale: Sendable {
  /// Precision-weighted mean, and precision.
  private var sum: Double
  private var precision: Double

  package init(mean: Double, deviation: Double) {
    precision = 1 / (deviation * deviation)
    sum = mean * precision
  }

  package var value: Double { max(0, sum / precision) }

  /// α after one more row: `dot` is g·G, `square` ‖G‖², G being the row's gradient at α = 1; both over σ².
  package func value(with dot: Double, _ square: Double) -> Double { max(0, (sum + dot) / (precision + square)) }

  /// What it costs, in units of 2 nats, that α is `value` and not what the rows so far say.
  package func cost(of value: Double) -> Double { precision * (value - sum / precision) * (value - sum / precision) }

  package mutating func add(dot: Double, square: Double) {
    sum += dot
    precision += square
  }
}
