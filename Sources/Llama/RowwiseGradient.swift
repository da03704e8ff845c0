package import Kernels

/// The backward pass of one sequence through a stack of blocks, row by row from its last, so that the gradient of a row's output may be chosen
/// after those of all later rows went through.
///
/// Causality makes ∂L/∂x_t a sum of three: what later rows send back through their attention to row t's keys and values, what those keys' and
/// values' own blocks below make of it, and J_ttᵀ times the gradient of row t's own output. The first two are known once the later rows are
/// committed. A whole sequence costs one backward pass, however many gradients are tried at each row.
package struct RowwiseGradient: Sendable {
  /// States after the last block [T, C].
  package let output: Matrix
  let stack: BlockStack
  let tape: TrainableStack.Tape
  /// ∂L/∂k (rotated) and ∂L/∂v of every block that committed rows have sent, [T, G·D] each.
  private var keys: [Matrix]
  private var values: [Matrix]

  /// - Parameters:
  ///   - stack: blocks; adapters that they carry are merged first.
  ///   - x: their input [T, C]: one sequence from position 0.
  package init(_ stack: BlockStack, _ x: Matrix) {
    self.stack = stack.merged()
    (output, tape) = TrainableStack(running: self.stack).forward(x, PackedBatch(lengths: [x.rows]))
    keys = stack.blocks.map { Matrix(rows: x.rows, columns: $0.shape.keyWidth) }
    values = keys
  }

  /// J_ttᵀ dy: what M gradients of row `row`'s output [M, C] are at its own input [M, C], through nothing but this row.
  package func transposed(_ dy: Matrix, row: Int) -> Matrix {
    var dx = dy
    for i in stack.blocks.indices.reversed() { dx = back(i, dx, row: row, inherits: false).dx }
    return dx
  }

  /// Gradients of row `row`'s query in the first block, before its rotation, [M, H·D], given M gradients of its output [M, C], through nothing but
  /// this row. The stack must not be empty.
  package func queryTransposed(_ dy: Matrix, row: Int) -> Matrix {
    var dx = dy
    for i in stack.blocks.indices.reversed().dropLast() { dx = back(i, dx, row: row, inherits: false).dx }
    return back(0, dx, row: row, inherits: false).query
  }

  /// Gradient at the input of row `row` [1, C] that the committed rows cause.
  package func inherited(row: Int) -> Matrix {
    var dx = Matrix(rows: 1, columns: output.columns)
    for i in stack.blocks.indices.reversed() { dx = back(i, dx, row: row, inherits: true).dx }
    return dx
  }

  /// Settles the gradient of row `row`'s output, dy [1, C]; rows must come in falling order, each once.
  /// - Returns: the whole gradient at its input [1, C].
  @discardableResult package mutating func commit(_ dy: Matrix, row: Int) -> Matrix {
    precondition(dy.rows == 1, "\(dy.rows) gradients for one row")
    var dx = dy
    for i in stack.blocks.indices.reversed() {
      let step = back(i, dx, row: row, inherits: true)
      step.attention.send(step.dAttended, toKeys: &keys[i], values: &values[i])
      dx = step.dx
    }
    return dx
  }

  /// One block at one row: the gradients of its input, of its query before the rotation, and of its attention's output.
  private func back(_ i: Int, _ dy: Matrix, row: Int, inherits: Bool) -> (
    dx: Matrix, query: Matrix, dAttended: Matrix, attention: RowAttention
  ) {
    let (block, compute, kept, m) = (stack.blocks[i], stack.compute, tape.activations[i], dy.rows)
    precondition(dy.columns == output.columns && row >= 0 && row < output.rows, "gradients [\(m), \(dy.columns)] for row \(row)")
    let dHidden = block[.down].applyTransposed(dy, compute)
    var dNormed = block.feedForwardInputGradient(compute.gatedBackward(kept.gateUp.repeated(row: row, m), dy: dHidden), compute)
    var dMiddle = dy
    compute.rmsNormBackward(
      kept.middle.repeated(row: row, m), weight: block.feedForwardNorm, epsilon: block.epsilon, dy: dNormed, into: &dMiddle)
    let dAttended = block[.output].applyTransposed(dMiddle, compute)
    let attention = RowAttention(
      query: kept.query, keys: kept.key, values: kept.value, attended: kept.attended, row: row, shape: block.shape)
    var (dq, dk, dv) = attention.own(dAttended, compute)
    if inherits {
      compute.addBias(&dk, Array(keys[i][row: row]))
      compute.addBias(&dv, Array(values[i][row: row]))
    }
    let rotation = RotaryTable(positions: [Int](repeating: row, count: m), frequencies: stack.frequencies).inverse
    compute.rotate(&dq, heads: block.shape.heads, by: rotation)
    compute.rotate(&dk, heads: block.shape.groups, by: rotation)
    dNormed = block.attentionInputGradient([dq, dk, dv], compute)
    var dx = dMiddle
    compute.rmsNormBackward(
      tape.inputs[i].repeated(row: row, m), weight: block.attentionNorm, epsilon: block.epsilon, dy: dNormed, into: &dx)
    return (dx, dq, dAttended, attention)
  }
}

extension Matrix {
  /// Row `row` `count` times below itself.
  func repeated(row: Int, _ count: Int) -> Matrix {
    let values = self[row: row]
    var out: [Float] = []
    out.reserveCapacity(count * columns)
    for _ in 0..<count { out += values }
    return Matrix(rows: count, columns: columns, values: out)
  }
}
