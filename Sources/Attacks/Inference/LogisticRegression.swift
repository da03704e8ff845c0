import Foundation
import Kernels

/// Two classes told apart by a plane: standardised features, L2 penalty, fitted by full-batch Adam. No randomness.
struct LogisticRegression: Sendable {
  private let means: [Double]
  private let deviations: [Double]
  private var weights: [Double]
  private var bias = 0.0

  private static let steps = 300
  private static let rate = 0.02

  /// - Parameters:
  ///   - x: features, one row an example.
  ///   - labels: true for the class that scores speak for.
  ///   - penalty: λ of λ‖w‖²/2 beside the mean loss.
  init(_ x: [[Double]], labels: [Bool], penalty: Double) {
    precondition(x.count == labels.count && !x.isEmpty, "\(x.count) examples, \(labels.count) labels")
    let (n, width) = (Double(x.count), x[0].count)
    var (mean, square) = ([Double](repeating: 0, count: width), [Double](repeating: 0, count: width))
    for row in x { for j in 0..<width { mean[j] += row[j] / n } }
    for row in x { for j in 0..<width { square[j] += (row[j] - mean[j]) * (row[j] - mean[j]) / n } }
    means = mean
    deviations = square.map { $0 > 0 ? $0.squareRoot() : 1 }
    weights = [Double](repeating: 0, count: width)
    let rows = x.map(standardised)
    // A class that is more frequent does not get a head start.
    let positives = Double(labels.count { $0 })
    let share = [0.5 / max(1, n - positives), 0.5 / max(1, positives)]
    var (m, v) = ([Double](repeating: 0, count: width + 1), [Double](repeating: 0, count: width + 1))
    for step in 1...Self.steps {
      var gradient = weights.map { penalty * $0 } + [0]
      for (row, label) in zip(rows, labels) {
        let error = (1 / (1 + exp(-plane(row))) - (label ? 1 : 0)) * share[label ? 1 : 0]
        for j in 0..<width { gradient[j] += error * row[j] }
        gradient[width] += error
      }
      let (first, second) = (1 - pow(0.9, Double(step)), 1 - pow(0.999, Double(step)))
      for j in 0...width {
        m[j] = 0.9 * m[j] + 0.1 * gradient[j]
        v[j] = 0.999 * v[j] + 0.001 * gradient[j] * gradient[j]
        let change = Self.rate * (m[j] / first) / ((v[j] / second).squareRoot() + 1e-8)
        if j < width { weights[j] -= change } else { bias -= change }
      }
    }
  }

  /// Log-odds of the class; above 0 it is likelier than not.
  func score(_ row: [Double]) -> Double { plane(standardised(row)) }

  private func standardised(_ row: [Double]) -> [Double] { row.indices.map { (row[$0] - means[$0]) / deviations[$0] } }
  private func plane(_ row: [Double]) -> Double { row.indices.reduce(bias) { $0 + weights[$1] * row[$1] } }
}
