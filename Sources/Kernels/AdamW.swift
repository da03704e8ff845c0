import CKernels
import Foundation

/// Decoupled weight decay (Loshchilov & Hutter 2019), as torch.optim.AdamW computes it.
package struct AdamW: Sendable, Hashable {
  package var beta1: Float
  package var beta2: Float
  package var epsilon: Float
  package var weightDecay: Float

  /// FedSEA's values by default.
  package init(beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-5, weightDecay: Float = 0.01) {
    (self.beta1, self.beta2, self.epsilon, self.weightDecay) = (beta1, beta2, epsilon, weightDecay)
  }

  /// First and second moments of one parameter.
  package struct Moments: Sendable, Equatable {
    package var first: [Float]
    package var second: [Float]

    /// Zeros.
    package init(count: Int) { (first, second) = ([Float](repeating: 0, count: count), [Float](repeating: 0, count: count)) }

    package init(first: [Float], second: [Float]) { (self.first, self.second) = (first, second) }
  }

  /// One step.
  /// - Parameters:
  ///   - step: 1 for the first.
  ///   - gradientScale: what gradients are multiplied by first: the clipping factor.
  package func update(
    _ parameter: inout [Float], gradient: [Float], _ moments: inout Moments, rate: Float, step: Int, gradientScale: Float = 1
  ) {
    precondition(gradient.count == parameter.count && moments.first.count == parameter.count && step > 0, "sizes differ")
    let corrections = [beta1, beta2].map { Float(1 - pow(Double($0), Double(step))) }
    fs_adamw(
      parameter.count, &parameter, gradient, &moments.first, &moments.second, rate, beta1, beta2, epsilon, weightDecay, corrections[0],
      corrections[1], gradientScale)
  }
}
