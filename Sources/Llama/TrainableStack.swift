package import Kernels

/// A run of frozen blocks with trainable adapters: forward keeps what backward needs, backward adds to the adapters' gradients.
///
/// Memory is flat in depth up to one block input [N, C] a block: everything else of a block is computed again when its turn comes in the
/// backward pass (Chen et al. 2016, gradient checkpointing), unless `keepsActivations`.
package struct TrainableStack: Sendable {
  package let stack: BlockStack
  package let settings: AdapterSettings
  /// One entry a block of the stack.
  package var adapters: [BlockAdapters]
  package var keepsActivations = true

  /// Fresh adapters; `seed` and each block's index in the whole model decide them, so a split model starts like a whole one.
  package init(_ stack: BlockStack, _ settings: AdapterSettings, seed: UInt64) {
    (self.stack, self.settings) = (stack, settings)
    adapters = stack.blocks.indices.map { BlockAdapters(stack.blocks[$0], index: stack.first + $0, settings, seed: seed) }
  }

  package init(_ stack: BlockStack, _ settings: AdapterSettings, adapters: [BlockAdapters]) {
    precondition(adapters.count == stack.blocks.count, "\(adapters.count) adapters for \(stack.blocks.count) blocks")
    (self.stack, self.settings, self.adapters) = (stack, settings, adapters)
  }

  package var zeroGradients: [BlockAdapters] { adapters.map(\.zeros) }

  /// What one forward pass leaves for the backward pass.
  package struct Tape: Sendable {
    let batch: PackedBatch
    let rotary: RotaryTable
    /// Input of each block [N, C].
    var inputs: [Matrix] = []
    var activations: [Activations] = []
  }

  /// Everything inside one block that its backward pass reads. [N, …] each.
  struct Activations: Sendable {
    var normed: Matrix, query: Matrix, key: Matrix, value: Matrix, attended: Matrix
    /// The residual stream between attention and feed-forward, and its norm.
    var middle: Matrix, middleNormed: Matrix
    var gate: Matrix, up: Matrix, hidden: Matrix
  }

  /// Runs sequences that start at position 0. x [N, C] → [N, C].
  package func forward(_ x: Matrix, _ batch: PackedBatch) -> (output: Matrix, tape: Tape) {
    precondition(x.rows == batch.rows && batch.pasts.allSatisfy { $0 == 0 }, "training runs whole sequences")
    var tape = Tape(batch: batch, rotary: RotaryTable(positions: batch.positions, frequencies: stack.frequencies))
    var x = x
    for i in stack.blocks.indices {
      tape.inputs.append(x)
      let activations = activations(i, x, tape)
      x = output(i, activations)
      if keepsActivations { tape.activations.append(activations) }
    }
    return (x, tape)
  }

  /// Gradient with respect to the input, given that of the output [N, C]; adapter gradients are added to `gradients`.
  package func backward(_ dy: Matrix, _ tape: Tape, gradients: inout [BlockAdapters]) -> Matrix {
    precondition(gradients.count == adapters.count && dy.rows == tape.batch.rows, "gradients of another stack or batch")
    var dx = dy
    for i in stack.blocks.indices.reversed() {
      let kept = keepsActivations ? tape.activations[i] : activations(i, tape.inputs[i], tape)
      dx = backward(i, dx, input: tape.inputs[i], kept, tape, &gradients[i])
    }
    return dx
  }

  // MARK: - One block

  private func activations(_ i: Int, _ x: Matrix, _ tape: Tape) -> Activations {
    let (block, compute) = (stack.blocks[i], stack.compute)
    let normed = compute.rmsNorm(x, weight: block.attentionNorm, epsilon: block.epsilon)
    var q = apply(.query, i, normed)
    var k = apply(.key, i, normed)
    var v = apply(.value, i, normed)
    if let biases = block.biases {
      compute.addBias(&q, biases.query)
      compute.addBias(&k, biases.key)
      compute.addBias(&v, biases.value)
    }
    compute.rotate(&q, heads: block.shape.heads, by: tape.rotary)
    compute.rotate(&k, heads: block.shape.groups, by: tape.rotary)
    let attended = compute.attendPacked(q, keys: k, values: v, offsets: tape.batch.offsets, shape: block.shape)
    var middle = x
    compute.add(&middle, apply(.output, i, attended))
    let middleNormed = compute.rmsNorm(middle, weight: block.feedForwardNorm, epsilon: block.epsilon)
    let gate = apply(.gate, i, middleNormed)
    let up = apply(.up, i, middleNormed)
    var hidden = gate
    compute.swiglu(&hidden, up: up)
    return Activations(
      normed: normed, query: q, key: k, value: v, attended: attended, middle: middle, middleNormed: middleNormed, gate: gate, up: up,
      hidden: hidden)
  }

  private func output(_ i: Int, _ kept: Activations) -> Matrix {
    var x = kept.middle
    stack.compute.add(&x, apply(.down, i, kept.hidden))
    return x
  }

  private func backward(
    _ i: Int, _ dy: Matrix, input x: Matrix, _ kept: Activations, _ tape: Tape, _ gradient: inout BlockAdapters
  ) -> Matrix {
    let (block, compute) = (stack.blocks[i], stack.compute)
    // x_out = middle + W_down (silu(gate) ⊙ up)
    let dHidden = back(.down, i, kept.hidden, dy, &gradient)
    let (dGate, dUp) = compute.swigluBackward(gate: kept.gate, up: kept.up, dy: dHidden)
    var dNormed = back(.gate, i, kept.middleNormed, dGate, &gradient)
    compute.add(&dNormed, back(.up, i, kept.middleNormed, dUp, &gradient))
    var dMiddle = dy
    compute.rmsNormBackward(kept.middle, weight: block.feedForwardNorm, epsilon: block.epsilon, dy: dNormed, into: &dMiddle)
    // middle = x + W_o attention
    let dAttended = back(.output, i, kept.attended, dMiddle, &gradient)
    var (dq, dk, dv) = compute.attendPackedBackward(
      kept.query, keys: kept.key, values: kept.value, output: kept.attended, dy: dAttended, offsets: tape.batch.offsets, shape: block.shape)
    let back = tape.rotary.inverse
    compute.rotate(&dq, heads: block.shape.heads, by: back)
    compute.rotate(&dk, heads: block.shape.groups, by: back)
    dNormed = self.back(.query, i, kept.normed, dq, &gradient)
    compute.add(&dNormed, self.back(.key, i, kept.normed, dk, &gradient))
    compute.add(&dNormed, self.back(.value, i, kept.normed, dv, &gradient))
    var dx = dMiddle
    compute.rmsNormBackward(x, weight: block.attentionNorm, epsilon: block.epsilon, dy: dNormed, into: &dx)
    return dx
  }

  /// W x + s · B A x.
  private func apply(_ target: AdapterTarget, _ i: Int, _ x: Matrix) -> Matrix {
    var y = stack.blocks[i][target].apply(x, stack.compute)
    adapters[i].pairs[target]?.add(x, scale: settings.scale, to: &y, stack.compute)
    return y
  }

  /// Gradient through `apply` with respect to x.
  private func back(_ target: AdapterTarget, _ i: Int, _ x: Matrix, _ dy: Matrix, _ gradient: inout BlockAdapters) -> Matrix {
    var dx = stack.blocks[i][target].applyTransposed(dy, stack.compute)
    if let adapter = adapters[i].pairs[target], gradient.pairs[target] != nil {
      adapter.backward(x, dy: dy, scale: settings.scale, dx: &dx, gradient: &gradient.pairs[target]!, stack.compute)
    }
    return dx
  }
}
