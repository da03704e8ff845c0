import Foundation
package import Kernels

/// How far a document's gradient under guessed labels is from the one that was sent, and the gradient of that. Scale-free: both are compared per
/// norm of what was sent, after the factor α that fits best.
package enum GradientDistance: String, Sendable, CaseIterable {
  /// ‖αG − g‖² / ‖g‖² (Zhu et al. 2019).
  case dlg
  /// .85 ‖αG − g‖² / ‖g‖² + .15 ‖αG − g‖₁ / ‖g‖₁ (Deng et al. 2021; the weights are SplitLLM's).
  case tag
  /// 1 − cos(G, g) (Balunović et al. 2022).
  case lamp

  /// - Parameters:
  ///   - guess: G [T, C] at α = 1.
  ///   - sent: g [T, C].
  ///   - scales: bounds on α; the direction of G alone says little where G is small.
  /// - Returns: the distance, and its gradient with respect to G with α held.
  package func evaluate(_ guess: Matrix, _ sent: Matrix, scales: ClosedRange<Double> = 0...Double.infinity) -> (
    value: Double, gradient: Matrix
  ) {
    precondition(guess.values.count == sent.values.count, "[\(guess.rows), \(guess.columns)] against [\(sent.rows), \(sent.columns)]")
    var (dot, square, norm, absolute) = (0.0, 0.0, 0.0, 0.0)
    for (x, y) in zip(guess.values, sent.values) {
      dot += Double(x) * Double(y)
      square += Double(x) * Double(x)
      norm += Double(y) * Double(y)
      absolute += Double(abs(y))
    }
    var gradient = guess
    guard norm > 0, square > 0 else {
      gradient.values = gradient.values.map { _ in 0 }
      return (norm > 0 || square > 0 ? 1 : 0, gradient)
    }
    if self == .lamp {
      let (a, b) = (square.squareRoot(), norm.squareRoot())
      let cosine = dot / (a * b)
      for i in gradient.values.indices {
        gradient.values[i] = Float(cosine * Double(guess.values[i]) / square - Double(sent.values[i]) / (a * b))
      }
      return (1 - cosine, gradient)
    }
    let alpha = min(scales.upperBound, max(scales.lowerBound, dot / square))
    let (two, one) = self == .tag ? (0.85, 0.15) : (1, 0)
    var value = 0.0
    for i in gradient.values.indices {
      let residual = alpha * Double(guess.values[i]) - Double(sent.values[i])
      value += two * residual * residual / norm + one * abs(residual) / absolute
      let sign = residual > 0 ? 1.0 : residual < 0 ? -1.0 : 0.0
      gradient.values[i] = Float(alpha * (two * 2 * residual / norm + one * sign / absolute))
    }
    return (value, gradient)
  }
}
