import Diagnostics
package import Foundation
package import Kernels
package import Llama

/// What an optimisation attack moves: X [N, C] as a function of flat values, with the gradient back to them.
package protocol EmbeddingParametrisation: Sendable {
  var values: [Float] { get set }
  /// X [N, C] of the current values.
  mutating func embeddings(_ compute: Compute) -> Matrix
  /// Gradient with respect to `values`, given ∂L/∂X at the last `embeddings`; adds that of its own penalties, whose nats it returns.
  func gradient(_ dX: Matrix, _ compute: Compute) -> (values: [Float], penalty: Double)
  /// Called after every step with the share of the steps that is done: projections and annealing.
  mutating func stepped(_ done: Double, _ compute: Compute)
}

extension EmbeddingParametrisation {
  package mutating func stepped(_ done: Double, _ compute: Compute) {}
}

/// The loop that all optimisation attacks share: X through the client's frozen blocks, loss at the cut, gradient back, one step of Adam.
///
/// Packed documents, no padding. The rate falls tenfold over the run (PIA's .1 → .01), the softening of the loss from 1 to `hardest`. It stops
/// after `iterations`, at `deadline`, or at the noise floor: when the residual is as small as the truth's would be, going on fits noise.
package struct InversionLoop: Sendable {
  package let blocks: TrainableStack
  /// The same blocks in bf16, used for the first `coarseShare` of the steps; nil for f32 throughout.
  package var coarse: TrainableStack?
  /// A product in bf16 is off by half a percent of its size. Without noise that matters once the softening has come down to a few percent; under noise
  /// that is larger than that it never does.
  package var coarseShare = 0.9
  package let loss: CutLoss
  package let batch: PackedBatch
  package var iterations: Int
  package var rate: Float
  package var weightDecay: Float = 0
  package var deadline: Date?
  /// False where penalties say more than the states do: then there is something left to learn at the floor.
  package var stopsAtFloor = true

  /// γ of the last iteration.
  static let hardest: Float = 1e-3

  package init(_ stack: BlockStack, _ loss: CutLoss, _ batch: PackedBatch, iterations: Int, rate: Float) {
    precondition(batch.rows == loss.observed.rows, "\(batch.rows) rows for \(loss.observed.rows) observed ones")
    // No adapters: nothing of the blocks is trained, so the backward pass computes no gradient of a weight.
    blocks = Self.frozen(stack)
    (self.loss, self.batch, self.iterations, self.rate) = (loss, batch, iterations, rate)
  }

  package static func frozen(_ stack: BlockStack) -> TrainableStack { TrainableStack(stack, AdapterSettings(targets: []), seed: 0) }

  /// How a run ended.
  package struct Outcome: Sendable {
    package var iterations = 0
    /// Loss and penalties of the last iteration, nats.
    package var nats = Double.infinity
    /// Mean of r²/σ² of the last iteration.
    package var excess = Double.infinity
    package var reachedFloor = false
  }

  /// L + penalty, and the gradient with respect to the values of `x`, at softening γ.
  package func evaluate<P: EmbeddingParametrisation>(_ x: inout P, softening: Float) -> (
    nats: Double, excess: Double, gradient: [Float]
  ) {
    evaluate(&x, softening: softening, blocks)
  }

  private func evaluate<P: EmbeddingParametrisation>(_ x: inout P, softening: Float, _ blocks: TrainableStack) -> (
    nats: Double, excess: Double, gradient: [Float]
  ) {
    let compute = blocks.stack.compute
    let (states, tape) = blocks.forward(x.embeddings(compute), batch)
    let value = loss.evaluate(states, softening: softening, compute)
    var none = blocks.zeroGradients
    let (gradient, penalty) = x.gradient(blocks.backward(value.gradient, tape, gradients: &none), compute)
    return (value.nats + penalty, value.excess, gradient)
  }

  /// Minimises over `x`.
  /// - Throws: what `progress` throws, and a fault when the loss stops being finite.
  package func run<P: EmbeddingParametrisation>(_ x: inout P, progress: (Double) throws -> Void) throws -> Outcome {
    let rule = AdamW(beta1: 0.9, beta2: 0.9, epsilon: 1e-12, weightDecay: weightDecay)
    var moments = AdamW.Moments(count: x.values.count)
    var outcome = Outcome()
    guard batch.rows > 0 else { return outcome }
    for step in 0..<iterations {
      let done = Double(step) / Double(iterations)
      let (nats, excess, gradient) = evaluate(
        &x, softening: Float(pow(Double(Self.hardest), done)), done < coarseShare ? coarse ?? blocks : blocks)
      (outcome.nats, outcome.excess) = (nats, excess)
      guard nats.isFinite else {
        throw Fault(.failure, "the loss is no longer finite after \(step) iterations at rate \(rate)", hint: "give a smaller learning_rate")
      }
      outcome.reachedFloor = excess <= 1
      if outcome.reachedFloor && stopsAtFloor { break }
      rule.update(&x.values, gradient: gradient, &moments, rate: rate * Float(pow(0.1, done)), step: step + 1)
      outcome.iterations = step + 1
      x.stepped(Double(step + 1) / Double(iterations), blocks.stack.compute)
      try progress(Double(step + 1) / Double(iterations))
      if let deadline, Date() >= deadline { break }
    }
    return outcome
  }
}
