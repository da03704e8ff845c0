import Foundation
package import Kernels

/// AdamW over what is trained in a run of blocks. Its state is kept block by block, steps included, so that a block which moves to another party
/// takes it along.
package struct AdapterOptimizer: Sendable {
  package var rule: AdamW
  /// Bound on the Euclidean norm of the gradients that `update(_:gradients:rate:)` is given, or nil.
  package var clip: Double?
  /// Steps taken by each block.
  package var steps: [Int]
  /// Per block, of each trained tensor.
  package var moments: [[ParameterName: AdamW.Moments]]

  package init(_ adapters: [BlockAdapters], rule: AdamW = AdamW(), clip: Double? = 1) {
    (self.rule, self.clip) = (rule, clip)
    steps = adapters.map { _ in 0 }
    moments = adapters.map(AdapterOptimizer.zeroMoments)
  }

  package static func zeroMoments(_ block: BlockAdapters) -> [ParameterName: AdamW.Moments] {
    Dictionary(uniqueKeysWithValues: block.names.map { ($0, AdamW.Moments(count: block[$0].count)) })
  }

  /// One step at learning rate `rate` with gradients times `factor`.
  package mutating func update(_ adapters: inout [BlockAdapters], gradients: [BlockAdapters], rate: Float, factor: Float) {
    precondition(adapters.count == moments.count && gradients.count == moments.count, "gradients of another stack")
    for i in adapters.indices {
      steps[i] += 1
      for name in adapters[i].names {
        rule.update(
          &adapters[i][name], gradient: gradients[i][name], &moments[i][name]!, rate: rate, step: steps[i], gradientScale: factor)
      }
    }
  }

  /// One step, the gradients of these blocks clipped together.
  /// - Returns: the norm of the gradients before clipping.
  package mutating func update(_ adapters: inout [BlockAdapters], gradients: [BlockAdapters], rate: Float) -> Double {
    let squares = gradients.map(\.squares)
    update(&adapters, gradients: gradients, rate: rate, factor: clippingFactor(squares, bound: clip))
    return squares.reduce(0, +).squareRoot()
  }
}

/// What gradients are multiplied by so that their norm is at most `bound` (torch.nn.utils.clip_grad_norm_).
/// - Parameter squares: squared norms of the blocks' gradients, in the order of the blocks: the sum depends on nothing else.
package func clippingFactor(_ squares: [Double], bound: Double?) -> Float {
  guard let bound else { return 1 }
  return Float(min(1, bound / (squares.reduce(0, +).squareRoot() + 1e-6)))
}

/// Learning rate over a run: linear warm-up, then constant, linear to zero, or a half cosine to zero.
package struct LearningRateSchedule: Sendable, Hashable {
  package enum Shape: String, Sendable, CaseIterable, Codable { case constant, linear, cosine }

  package var peak: Float
  package var warmup: Int
  package var steps: Int
  package var shape: Shape

  package init(peak: Float, warmup: Int = 0, steps: Int, shape: Shape = .linear) {
    (self.peak, self.warmup, self.steps, self.shape) = (peak, warmup, steps, shape)
  }

  /// The rate of step `step`, counted from 0.
  package func rate(_ step: Int) -> Float {
    if step < warmup { return peak * Float(step + 1) / Float(warmup) }
    let done = Double(step - warmup) / Double(max(1, steps - warmup))
    switch shape {
    case .constant: return peak
    case .linear: return peak * Float(max(0, 1 - done))
    case .cosine: return peak * Float(0.5 * (1 + cos(Double.pi * min(1, done))))
    }
  }
}
