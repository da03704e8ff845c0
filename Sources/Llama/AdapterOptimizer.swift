import Foundation
package import Kernels

/// AdamW over the adapters of a run of blocks. Its state is kept block by block, so that a block which moves to another party takes it along.
package struct AdapterOptimizer: Sendable {
  package var rule: AdamW
  /// Bound on the Euclidean norm of all gradients together, or nil.
  package var clip: Double?
  /// Steps taken.
  package var step = 0
  /// Of A and B, per block and target.
  package var moments: [[AdapterTarget: AdapterMoments]]

  package struct AdapterMoments: Sendable, Equatable {
    package var a: AdamW.Moments
    package var b: AdamW.Moments

    package init(a: AdamW.Moments, b: AdamW.Moments) { (self.a, self.b) = (a, b) }
  }

  package init(_ adapters: [BlockAdapters], rule: AdamW = AdamW(), clip: Double? = 1) {
    (self.rule, self.clip) = (rule, clip)
    moments = adapters.map { block in
      block.pairs.mapValues { AdapterMoments(a: .init(count: $0.a.values.count), b: .init(count: $0.b.values.count)) }
    }
  }

  /// One step at learning rate `rate`.
  /// - Returns: the norm of the gradients before clipping.
  package mutating func update(_ adapters: inout [BlockAdapters], gradients: [BlockAdapters], rate: Float) -> Double {
    precondition(adapters.count == moments.count && gradients.count == moments.count, "gradients of another stack")
    let norm = gradientNorm(gradients)
    let factor = clip.map { min(1, $0 / (norm + 1e-6)) } ?? 1
    step += 1
    for i in adapters.indices {
      for target in adapters[i].targets {
        guard let gradient = gradients[i].pairs[target] else { continue }
        rule.update(
          &adapters[i].pairs[target]!.a.values, gradient: gradient.a.values, &moments[i][target]!.a, rate: rate, step: step,
          gradientScale: Float(factor))
        rule.update(
          &adapters[i].pairs[target]!.b.values, gradient: gradient.b.values, &moments[i][target]!.b, rate: rate, step: step,
          gradientScale: Float(factor))
      }
    }
    return norm
  }
}

/// Euclidean norm of all adapter gradients together.
package func gradientNorm(_ gradients: [BlockAdapters]) -> Double {
  var squares = 0.0
  for block in gradients {
    for target in block.targets {
      guard let pair = block.pairs[target] else { continue }
      for values in [pair.a.values, pair.b.values] { squares += values.reduce(0) { $0 + Double($1) * Double($1) } }
    }
  }
  return squares.squareRoot()
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
