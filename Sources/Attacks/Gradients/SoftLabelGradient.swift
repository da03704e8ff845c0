import Checkpoints
import Foundation
package import Kernels
package import Llama

/// ∂L/∂h_B of one document as a function of soft labels, at α = 1: linear in them, because the states are known.
///
///     G = Jᵀ D (p̄ − s̄),   p̄_t = Σ_v p_t(v) w_v,   s̄_t = Σ_v S_t(v) w_v
///
/// with D the final norm's and J the blocks' Jacobian. Jᵀ is one backward pass; J, for the gradient of a distance back to S, is a central
/// difference of two forward passes.
package struct SoftLabelGradient: Sendable {
  package let head: OutputHead
  /// p̄, and the states after the last block, [T, C] each.
  package let predicted: Matrix
  package let output: Matrix
  private let stack: TrainableStack
  private let tape: TrainableStack.Tape
  private let input: Matrix
  private let batch: PackedBatch

  /// - Parameters:
  ///   - stack: the client's blocks behind the cut, without adapters of their own.
  ///   - states: h_B of one document [T, C].
  package init(_ stack: BlockStack, _ head: OutputHead, _ states: Matrix) {
    self.stack = TrainableStack(running: stack)
    (self.head, input, batch) = (head, states, PackedBatch(lengths: [states.rows]))
    (output, tape) = self.stack.forward(states, batch)
    var logits = head.logits(output)
    let normalisers = head.compute.logSumExp(logits)
    for r in 0..<logits.rows { for v in 0..<logits.columns { logits[r, v] = expf(logits[r, v] - normalisers[r]) } }
    predicted = head.weight.applyTransposed(logits, head.compute)
  }

  /// G [T, C], given s̄ of the first rows [at most T, C]; the rows behind them have no label.
  package func gradient(_ mixed: Matrix) -> Matrix {
    var difference = Matrix(rows: output.rows, columns: output.columns)
    for r in 0..<mixed.rows {
      for c in 0..<mixed.columns { difference.values[r * mixed.columns + c] = predicted[r, c] - mixed[r, c] }
    }
    var dy = Matrix(rows: output.rows, columns: output.columns)
    head.compute.rmsNormBackward(output, weight: head.norm, epsilon: head.epsilon, dy: difference, into: &dy)
    var none = stack.zeroGradients
    return stack.backward(dy, tape, gradients: &none)
  }

  /// The gradient with respect to s̄ [T, C] of a distance whose gradient with respect to G is `e` [T, C]: −D J e.
  package func transposed(_ e: Matrix) -> Matrix {
    let size = e.values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    let state = input.values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    guard size > 0 else { return e }
    // A step of a hundredth of the states' norm: curvature of third order, rounding of a part in ten thousand.
    let step = Float(1e-2 * state / size)
    func normed(_ sign: Float) -> Matrix {
      var x = input
      for i in x.values.indices { x.values[i] += sign * step * e.values[i] }
      return head.compute.rmsNorm(stack.forward(x, batch).output, weight: head.norm, epsilon: head.epsilon)
    }
    var out = normed(-1)
    let forward = normed(1)
    for i in out.values.indices { out.values[i] = (out.values[i] - forward.values[i]) / (2 * step) }
    return out
  }
}
