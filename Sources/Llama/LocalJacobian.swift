package import Kernels

/// K [C, C], the Jacobian of what the head multiplies, norm(h_t), with respect to the stack's input x_t at the same row, all rows before it held
/// fixed: entry (i, j) is ∂ norm(h_t)_i / ∂ x_{t,j}. Logit v then has the gradient w_v K, w_v being row v of the head's matrix.
///
/// K is never written out: both of its products cost about as much as a forward pass of as many rows as they have.
extension RowwiseGradient {
  /// W K [M, C]: gradients at the input of row `row`, given those of norm(h_t), W [M, C]. Reverse mode.
  package func throughJacobian(_ w: Matrix, row: Int, _ head: OutputHead) -> Matrix {
    transposed(normTransposed(w, row: row, head), row: row)
  }

  /// X Kᵀ [M, C]: how norm(h_t) moves with M motions of the input of row `row`, X [M, C]. Forward mode.
  package func alongJacobian(_ x: Matrix, row: Int, _ head: OutputHead) -> Matrix {
    var moved = x
    for i in stack.blocks.indices { moved = ahead(i, moved, row: row) }
    return head.compute.rmsNormAhead(output, row: row, weight: head.norm, epsilon: head.epsilon, moved)
  }

  /// Gradients [M, C] of row `row`'s state after the last block, given those of its norm [M, C].
  package func normTransposed(_ dNormed: Matrix, row: Int, _ head: OutputHead) -> Matrix {
    var dy = Matrix(rows: dNormed.rows, columns: dNormed.columns)
    head.compute.rmsNormBackward(
      output.repeated(row: row, dNormed.rows), weight: head.norm, epsilon: head.epsilon, dy: dNormed, into: &dy)
    return dy
  }

  /// One block at one row: how its output moves with its input [M, C].
  private func ahead(_ i: Int, _ dx: Matrix, row: Int) -> Matrix {
    let (block, compute, kept, m) = (stack.blocks[i], stack.compute, tape.activations[i], dx.rows)
    var (dq, dk, dv) = block.attentionInputSlope(
      compute.rmsNormAhead(tape.inputs[i], row: row, weight: block.attentionNorm, epsilon: block.epsilon, dx), compute)
    let rotation = RotaryTable(positions: [Int](repeating: row, count: m), frequencies: stack.frequencies)
    compute.rotate(&dq, heads: block.shape.heads, by: rotation)
    compute.rotate(&dk, heads: block.shape.groups, by: rotation)
    let attention = RowAttention(
      query: kept.query, keys: kept.key, values: kept.value, attended: kept.attended, row: row, shape: block.shape)
    var out = dx
    compute.add(&out, block[.output].apply(attention.ahead(dq, dk, dv, compute), compute))
    let gateUp = block.gateAndUp(
      compute.rmsNormAhead(kept.middle, row: row, weight: block.feedForwardNorm, epsilon: block.epsilon, out), compute)
    let inner = gateUp.columns / 2
    // ∂ hidden / ∂ gate and ∂ hidden / ∂ up, side by side.
    let slopes = compute.gatedBackward(
      kept.gateUp.slice(row..<row + 1), dy: Matrix(rows: 1, columns: inner, values: [Float](repeating: 1, count: inner)))
    var hidden = Matrix(rows: m, columns: inner)
    for r in 0..<m {
      let at = r * gateUp.columns
      for f in 0..<inner {
        hidden.values[r * inner + f] = slopes.values[f] * gateUp.values[at + f] + slopes.values[inner + f] * gateUp.values[at + inner + f]
      }
    }
    compute.add(&out, block[.down].apply(hidden, compute))
    return out
  }
}

extension Compute {
  /// How the norm of row `row` of `x` [T, C] moves with M motions of it, dx [M, C].
  func rmsNormAhead(_ x: Matrix, row: Int, weight: [Float], epsilon: Float, _ dx: Matrix) -> Matrix {
    // The bare norm's Jacobian is symmetric, so its backward pass is its slope too; the weight comes after it.
    var out = Matrix(rows: dx.rows, columns: dx.columns)
    rmsNormBackward(
      x.repeated(row: row, dx.rows), weight: [Float](repeating: 1, count: dx.columns), epsilon: epsilon, dy: dx, into: &out)
    for r in 0..<out.rows { for c in 0..<out.columns { out.values[r * out.columns + c] *= weight[c] } }
    return out
  }
}
