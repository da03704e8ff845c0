import Audit
import Diagnostics
package import Kernels

/// How badly labels explain the gradient that a client returned for one document, in nats, and the gradient of that: what BiSR's backward step
/// minimises, in the units of `CutLoss`, so that the two can be added.
///
///     B = w · d · ½ ‖g‖² / (σ² + γ ‖g‖²/TC),    d = TAG's distance per norm of what was sent
///
/// At γ = 0 the quadratic part of this is the negative log-likelihood under noise of deviation σ: a gradient that is mostly noise says little, a
/// clean one decides. The loop lowers γ as it does for the states.
package struct BackwardTerm: Sendable {
  private let model: SoftLabelGradient
  /// g [T, C].
  private let sent: Matrix
  private let sigma: Double
  /// Bounds on α, the factor between the gradient as the loss has it and as it was sent.
  private let scales: ClosedRange<Double>
  private let weight: Double
  private let square: Double

  /// - Parameters:
  ///   - sent: g [T, C] of the document that `model` is of.
  ///   - sigma: deviation of the noise on a coordinate of g, above 0.
  ///   - weight: w.
  package init(_ model: SoftLabelGradient, _ sent: Matrix, sigma: Double, scales: ClosedRange<Double>, weight: Double = 1) {
    precondition(sigma > 0 && weight >= 0, "σ \(sigma), weight \(weight)")
    (self.model, self.sent, self.sigma, self.scales, self.weight) = (model, sent, sigma, scales, weight)
    square = sent.values.reduce(0.0) { $0 + Double($1) * Double($1) }
  }

  /// - Parameters:
  ///   - mixed: s̄ [T − 1, C], the head's rows of the labels of all rows but the last.
  ///   - softening: γ.
  /// - Returns: B, and ∂B/∂s̄ [T − 1, C] with α held.
  package func evaluate(_ mixed: Matrix, softening: Float) -> (nats: Double, gradient: Matrix) {
    var distance = GradientDistance.tag.evaluate(model.gradient(mixed), sent, scales: scales)
    let unit = weight * square / (2 * (sigma * sigma + Double(softening) * square / Double(max(1, sent.values.count))))
    for i in distance.gradient.values.indices { distance.gradient.values[i] *= Float(unit) }
    return (unit * distance.value, model.transposed(distance.gradient).slice(0..<mixed.rows))
  }
}

extension CutGradients {
  /// Bounds on α for a document: what the size of its gradient says where that rises above the noise, otherwise what the loss's divisor does. A larger α
  /// is matched by mixtures of labels, so the upper bound is near. Labels that size is reckoned with are drawn from the victim's predictions.
  /// Throws `Fault` 65 where the attacker's own pass through the blocks gives no finite size.
  func scales(_ document: Int, _ rows: Range<Int>, _ means: AttackerMeans) throws -> ClosedRange<Double> {
    let item = UInt64(document)
    let size = ExpectedScale.norm(self, rows, means, item: item)
    let expected = ExpectedScale.of(self, rows, labels: labels[document], means, item: item, norm: size).value
    let count = Double(rows.count * gradients.columns)
    let square = gradients.slice(rows).values.reduce(0.0) { $0 + Double($1) * Double($1) }
    let own = square - count * sigma * sigma
    // Four deviations of what the noise alone adds to the square.
    let isSeen = own > 4 * sigma * sigma * (2 * count).squareRoot()
    let alpha = isSeen ? own.squareRoot() / max(size, 1e-30) : expected
    guard alpha.isFinite, alpha > 0 else {
      throw Fault(.invalidData, "the states of document \(document) give no gradient of a finite size")
    }
    return alpha / 2...alpha * 1.1
  }
}
