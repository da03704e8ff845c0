package import Kernels

/// A run of blocks that is trained: forward keeps what backward needs, backward adds to the gradients of the trained tensors.
///
/// Memory is flat in depth up to one block input [N, C] a block: everything else of a block is computed again when its turn comes in the
/// backward pass (Chen et al. 2016, gradient checkpointing), unless `keepsActivations`.
package struct TrainableStack: Sendable {
  package private(set) var stack: BlockStack
  package let settings: AdapterSettings
  /// One entry a block of the stack. Full fine-tuning holds its weights here too; `refresh` puts changed ones into the blocks.
  package var adapters: [BlockAdapters]
  package var keepsActivations = true
  /// Whether a position attends to itself and what is before it, as language models do, or to its whole sequence.
  package var isCausal = true
  /// Used by `forward` for sequences that are named.
  package var dropout: AdapterDropout?
  private let precision: Precision

  /// Fresh adapters; `seed` and each block's index in the whole model decide them, so a split model starts like a whole one.
  package init(_ stack: BlockStack, _ settings: AdapterSettings, seed: UInt64) {
    self.init(
      stack, settings, adapters: stack.blocks.indices.map { BlockAdapters(stack.blocks[$0], index: stack.first + $0, settings, seed: seed) }
    )
    if settings.dropout > 0 { dropout = AdapterDropout(rate: settings.dropout, seed: seed) }
  }

  package init(_ stack: BlockStack, _ settings: AdapterSettings, adapters: [BlockAdapters]) {
    precondition(adapters.count == stack.blocks.count, "\(adapters.count) adapters for \(stack.blocks.count) blocks")
    (self.stack, self.settings, self.adapters, precision) = (stack, settings, adapters, .f32)
    refresh()
  }

  /// Full fine-tuning of every matrix and norm of the blocks. Weights are multiplied in `precision`, kept and updated in f32.
  package init(whole stack: BlockStack, precision: Precision) {
    (self.stack, settings, self.precision) = (stack, AdapterSettings(targets: []), precision)
    adapters = stack.blocks.map { BlockAdapters(whole: $0, compute: stack.compute) }
    refresh()
  }

  package var zeroGradients: [BlockAdapters] { adapters.map(\.zeros) }
  package var first: Int { stack.first }
  /// Indices of the blocks in the whole model.
  package var range: Range<Int> { stack.first..<stack.first + stack.blocks.count }

  /// Makes the blocks' matrices and norms those of `adapters` where these are trained whole; call it after changing them.
  package mutating func refresh() {
    for i in adapters.indices where !adapters[i].weights.isEmpty { stack = stack.replacing(block: i, by: refreshed(i)) }
  }

  private func refreshed(_ i: Int) -> Block {
    let trained = adapters[i]
    let weights = trained.weights.mapValues { matrix in
      let wide = Weight(rows: matrix.rows, columns: matrix.columns, values: matrix.values)
      return precision == .bf16 ? wide.narrowed(stack.compute) : wide
    }
    return stack.blocks[i].replacing(
      weights, attentionNorm: trained.attentionNorm.isEmpty ? nil : trained.attentionNorm,
      feedForwardNorm: trained.feedForwardNorm.isEmpty ? nil : trained.feedForwardNorm)
  }

  /// The blocks with their adapters, for inference with a KV cache.
  package var adapted: BlockStack {
    var out = stack
    for i in adapters.indices where !adapters[i].pairs.isEmpty {
      out = out.replacing(block: i, by: stack.blocks[i].adapted(by: adapters[i], scale: settings.scale))
    }
    return out
  }

  /// The same training of other blocks: for parts that grow, shrink or move. `stack` and `adapters` belong together.
  package func over(_ stack: BlockStack, adapters: [BlockAdapters]) -> TrainableStack {
    var out = self
    precondition(adapters.count == stack.blocks.count, "\(adapters.count) adapters for \(stack.blocks.count) blocks")
    (out.stack, out.adapters) = (stack, adapters)
    out.refresh()
    return out
  }

  /// What one forward pass leaves for the backward pass.
  package struct Tape: Sendable {
    let batch: PackedBatch
    let rotary: RotaryTable
    /// Local indices of the blocks that ran.
    let blocks: Range<Int>
    /// Names of the rows for dropout; nil without.
    let rows: [UInt64]?
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
  /// - Parameters:
  ///   - range: blocks to run, indices of the whole model; all by default.
  ///   - sequences: identifiers, one a sequence: with them, and a dropout rate, adapters drop inputs.
  package func forward(_ x: Matrix, _ batch: PackedBatch, range: Range<Int>? = nil, sequences: [UInt64]? = nil) -> (
    output: Matrix, tape: Tape
  ) {
    precondition(x.rows == batch.rows && batch.pasts.allSatisfy { $0 == 0 }, "training runs whole sequences")
    let range = range ?? self.range
    let rows = dropout == nil ? nil : sequences.map { AdapterDropout.rows($0, batch) }
    var tape = Tape(
      batch: batch, rotary: RotaryTable(positions: batch.positions, frequencies: stack.frequencies),
      blocks: range.lowerBound - first..<range.upperBound - first, rows: rows)
    var x = x
    for i in tape.blocks {
      tape.inputs.append(x)
      let activations = activations(i, x, tape)
      x = output(i, activations, tape)
      if keepsActivations { tape.activations.append(activations) }
    }
    return (x, tape)
  }

  /// Gradient with respect to the input, given that of the output [N, C]; gradients of trained tensors are added to `gradients`.
  package func backward(_ dy: Matrix, _ tape: Tape, gradients: inout [BlockAdapters]) -> Matrix {
    precondition(gradients.count == adapters.count && dy.rows == tape.batch.rows, "gradients of another stack or batch")
    var dx = dy
    for i in tape.blocks.reversed() {
      let input = tape.inputs[i - tape.blocks.lowerBound]
      let kept = keepsActivations ? tape.activations[i - tape.blocks.lowerBound] : activations(i, input, tape)
      dx = backward(i, dx, input: input, kept, tape, &gradients[i])
    }
    return dx
  }

  // MARK: - One block

  private func activations(_ i: Int, _ x: Matrix, _ tape: Tape) -> Activations {
    let (block, compute, adapt) = (stack.blocks[i], stack.compute, adaptation(i, tape))
    let normed = compute.rmsNorm(x, weight: block.attentionNorm, epsilon: block.epsilon)
    let (q, k, v) = block.projected(normed, rotary: tape.rotary, compute, adapt)
    let attended = compute.attendPacked(q, keys: k, values: v, offsets: tape.batch.offsets, shape: block.shape, causal: isCausal)
    var middle = block.applied(.output, attended, compute, adapt)
    compute.add(&middle, x)
    let middleNormed = compute.rmsNorm(middle, weight: block.feedForwardNorm, epsilon: block.epsilon)
    let (gate, up) = block.gated(middleNormed, compute, adapt)
    var hidden = gate
    compute.swiglu(&hidden, up: up)
    return Activations(
      normed: normed, query: q, key: k, value: v, attended: attended, middle: middle, middleNormed: middleNormed, gate: gate, up: up,
      hidden: hidden)
  }

  private func output(_ i: Int, _ kept: Activations, _ tape: Tape) -> Matrix {
    var x = stack.blocks[i].applied(.down, kept.hidden, stack.compute, adaptation(i, tape))
    stack.compute.add(&x, kept.middle)
    return x
  }

  private func backward(
    _ i: Int, _ dy: Matrix, input x: Matrix, _ kept: Activations, _ tape: Tape, _ gradient: inout BlockAdapters
  ) -> Matrix {
    let (block, compute) = (stack.blocks[i], stack.compute)
    // x_out = middle + W_down (silu(gate) ⊙ up)
    var dHidden = block[.down].applyTransposed(dy, compute)
    back(.down, i, kept.hidden, dy, dx: &dHidden, tape, &gradient)
    let (dGate, dUp) = compute.swigluBackward(gate: kept.gate, up: kept.up, dy: dHidden)
    var dNormed = block.feedForwardInputGradient([dGate, dUp], compute)
    back(.gate, i, kept.middleNormed, dGate, dx: &dNormed, tape, &gradient)
    back(.up, i, kept.middleNormed, dUp, dx: &dNormed, tape, &gradient)
    var dMiddle = dy
    compute.rmsNormBackward(kept.middle, weight: block.feedForwardNorm, epsilon: block.epsilon, dy: dNormed, into: &dMiddle)
    if !gradient.feedForwardNorm.isEmpty {
      compute.rmsNormWeightBackward(kept.middle, epsilon: block.epsilon, dy: dNormed, into: &gradient.feedForwardNorm)
    }
    // middle = x + W_o attention
    var dAttended = block[.output].applyTransposed(dMiddle, compute)
    back(.output, i, kept.attended, dMiddle, dx: &dAttended, tape, &gradient)
    var (dq, dk, dv) = compute.attendPackedBackward(
      kept.query, keys: kept.key, values: kept.value, output: kept.attended, dy: dAttended, offsets: tape.batch.offsets, shape: block.shape,
      causal: isCausal)
    let inverse = tape.rotary.inverse
    compute.rotate(&dq, heads: block.shape.heads, by: inverse)
    compute.rotate(&dk, heads: block.shape.groups, by: inverse)
    dNormed = block.attentionInputGradient([dq, dk, dv], compute)
    back(.query, i, kept.normed, dq, dx: &dNormed, tape, &gradient)
    back(.key, i, kept.normed, dk, dx: &dNormed, tape, &gradient)
    back(.value, i, kept.normed, dv, dx: &dNormed, tape, &gradient)
    var dx = dMiddle
    compute.rmsNormBackward(x, weight: block.attentionNorm, epsilon: block.epsilon, dy: dNormed, into: &dx)
    if !gradient.attentionNorm.isEmpty {
      compute.rmsNormWeightBackward(x, epsilon: block.epsilon, dy: dNormed, into: &gradient.attentionNorm)
    }
    return dx
  }

  /// y ← y + s · B A dropout(x).
  private func adaptation(_ i: Int, _ tape: Tape) -> Block.Adaptation {
    { target, x, y in
      guard let pair = adapters[i].pairs[target] else { return }
      pair.add(dropped(x, i, target, tape), scale: settings.scale, to: &y, stack.compute)
    }
  }

  private func dropped(_ x: Matrix, _ i: Int, _ target: AdapterTarget, _ tape: Tape) -> Matrix {
    guard let dropout, let rows = tape.rows else { return x }
    return dropout.apply(x, block: first + i, target: target, rows: rows, stack.compute)
  }

  /// What a trained matrix adds to the gradient of its input x, and its own gradient, given that of its output.
  private func back(
    _ target: AdapterTarget, _ i: Int, _ x: Matrix, _ dy: Matrix, dx: inout Matrix, _ tape: Tape, _ gradient: inout BlockAdapters
  ) {
    let compute = stack.compute
    if gradient.weights[target] != nil { compute.product(dy, x, transposeA: true, beta: 1, into: &gradient.weights[target]!) }
    guard let adapter = adapters[i].pairs[target], gradient.pairs[target] != nil else { return }
    guard let dropout, let rows = tape.rows else {
      adapter.backward(x, dy: dy, scale: settings.scale, dx: &dx, gradient: &gradient.pairs[target]!, compute)
      return
    }
    var masked = Matrix(rows: x.rows, columns: x.columns)
    adapter.backward(
      dropped(x, i, target, tape), dy: dy, scale: settings.scale, dx: &masked, gradient: &gradient.pairs[target]!, compute)
    compute.add(&dx, dropout.apply(masked, block: first + i, target: target, rows: rows, compute))
  }
}
