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
    /// Gate and up side by side [N, 2F], and silu(gate) ⊙ up.
    var gateUp: Matrix, hidden: Matrix
    /// A x of every adapter [N, r].
    var lowRank: [AdapterTarget: Matrix]
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

  private static let attentionInputs: [AdapterTarget] = [.query, .key, .value]
  private static let feedForwardInputs: [AdapterTarget] = [.gate, .up]

  private func activations(_ i: Int, _ x: Matrix, _ tape: Tape) -> Activations {
    let (block, compute) = (stack.blocks[i], stack.compute)
    let normed = compute.rmsNorm(x, weight: block.attentionNorm, epsilon: block.epsilon)
    var group = group(i, Self.attentionInputs, tape)
    var lowRank = group.lowRank(normed)
    let (q, k, v) = block.projected(normed, rotary: tape.rotary, compute) { target, _, y in group.add(lowRank, target, to: &y) }
    let attended = compute.attendPacked(q, keys: k, values: v, offsets: tape.batch.offsets, shape: block.shape, causal: isCausal)
    group = self.group(i, [.output], tape)
    lowRank.merge(group.lowRank(attended)) { $1 }
    var middle = block[.output].apply(attended, compute)
    group.add(lowRank, .output, to: &middle)
    compute.add(&middle, x)
    let middleNormed = compute.rmsNorm(middle, weight: block.feedForwardNorm, epsilon: block.epsilon)
    group = self.group(i, Self.feedForwardInputs, tape)
    lowRank.merge(group.lowRank(middleNormed)) { $1 }
    var gateUp = block.gateAndUp(middleNormed, compute)
    for target in Self.feedForwardInputs { group.add(lowRank, target, to: &gateUp, columns: Self.columns(of: target, in: gateUp)) }
    let hidden = compute.gated(gateUp)
    lowRank.merge(self.group(i, [.down], tape).lowRank(hidden)) { $1 }
    return Activations(
      normed: normed, query: q, key: k, value: v, attended: attended, middle: middle, middleNormed: middleNormed, gateUp: gateUp,
      hidden: hidden, lowRank: lowRank)
  }

  private func output(_ i: Int, _ kept: Activations, _ tape: Tape) -> Matrix {
    var x = stack.blocks[i][.down].apply(kept.hidden, stack.compute)
    group(i, [.down], tape).add(kept.lowRank, .down, to: &x)
    stack.compute.add(&x, kept.middle)
    return x
  }

  /// Where gate and up are in a matrix [N, 2F].
  private static func columns(of target: AdapterTarget, in gateUp: Matrix) -> Range<Int> {
    target == .gate ? 0..<gateUp.columns / 2 : gateUp.columns / 2..<gateUp.columns
  }

  private func backward(
    _ i: Int, _ dy: Matrix, input x: Matrix, _ kept: Activations, _ tape: Tape, _ gradient: inout BlockAdapters
  ) -> Matrix {
    let (block, compute, u) = (stack.blocks[i], stack.compute, kept.lowRank)
    // x_out = middle + W_down (silu(gate) ⊙ up)
    var dHidden = block[.down].applyTransposed(dy, compute)
    back([.down], i, kept.hidden, u, dx: &dHidden, tape, &gradient) { _ in (dy, 0..<dy.columns) }
    let dGateUp = compute.gatedBackward(kept.gateUp, dy: dHidden)
    var dNormed = block.feedForwardInputGradient(dGateUp, compute)
    back(Self.feedForwardInputs, i, kept.middleNormed, u, dx: &dNormed, tape, &gradient) { (dGateUp, Self.columns(of: $0, in: dGateUp)) }
    var dMiddle = dy
    compute.rmsNormBackward(kept.middle, weight: block.feedForwardNorm, epsilon: block.epsilon, dy: dNormed, into: &dMiddle)
    if !gradient.feedForwardNorm.isEmpty {
      compute.rmsNormWeightBackward(kept.middle, epsilon: block.epsilon, dy: dNormed, into: &gradient.feedForwardNorm)
    }
    // middle = x + W_o attention
    var dAttended = block[.output].applyTransposed(dMiddle, compute)
    back([.output], i, kept.attended, u, dx: &dAttended, tape, &gradient) { _ in (dMiddle, 0..<dMiddle.columns) }
    var (dq, dk, dv) = compute.attendPackedBackward(
      kept.query, keys: kept.key, values: kept.value, output: kept.attended, dy: dAttended, offsets: tape.batch.offsets, shape: block.shape,
      causal: isCausal)
    let inverse = tape.rotary.inverse
    compute.rotate(&dq, heads: block.shape.heads, by: inverse)
    compute.rotate(&dk, heads: block.shape.groups, by: inverse)
    let made = [AdapterTarget.query: dq, .key: dk, .value: dv]
    dNormed = block.attentionInputGradient([dq, dk, dv], compute)
    back(Self.attentionInputs, i, kept.normed, u, dx: &dNormed, tape, &gradient) { (made[$0]!, 0..<made[$0]!.columns) }
    var dx = dMiddle
    compute.rmsNormBackward(x, weight: block.attentionNorm, epsilon: block.epsilon, dy: dNormed, into: &dx)
    if !gradient.attentionNorm.isEmpty {
      compute.rmsNormWeightBackward(x, epsilon: block.epsilon, dy: dNormed, into: &gradient.attentionNorm)
    }
    return dx
  }

  /// The adapters of matrices of block `i` that read the same input.
  private func group(_ i: Int, _ targets: [AdapterTarget], _ tape: Tape) -> AdapterGroup {
    var mask: ((Matrix, AdapterTarget) -> Matrix)?
    if let dropout, let rows = tape.rows {
      mask = { x, target in dropout.apply(x, block: first + i, target: target, rows: rows, stack.compute) }
    }
    return AdapterGroup(adapters[i], targets, scale: settings.scale, mask: mask, stack.compute)
  }

  /// What trained matrices add to the gradient of their common input x, and their own gradients, given those of their outputs.
  private func back(
    _ targets: [AdapterTarget], _ i: Int, _ x: Matrix, _ u: [AdapterTarget: Matrix], dx: inout Matrix, _ tape: Tape,
    _ gradient: inout BlockAdapters, dy: (AdapterTarget) -> (Matrix, Range<Int>)
  ) {
    for target in targets where gradient.weights[target] != nil {
      let (dy, columns) = dy(target)
      stack.compute.product(dy, columns: columns, x, transposeA: true, beta: 1, into: &gradient.weights[target]!)
    }
    group(i, targets, tape).backward(x, u, dy: dy, dx: &dx, gradient: &gradient)
  }
}
