package import Kernels

extension RowwiseGradient {
  /// The Jacobian [C, C] of what the head multiplies, norm(h_t), with respect to the stack's input x_t at the same row, all rows before it held
  /// fixed: entry (i, j) is ∂ norm(h_t)_i / ∂ x_{t,j}. Logit v then has the gradient w_v K, w_v being row v of the head's matrix.
  ///
  /// Reverse mode: the C unit vectors go back through the final norm and the blocks as one batch, in products of C rows.
  package func localJacobian(row: Int, through head: OutputHead) -> Matrix {
    let width = output.columns
    var unit = Matrix(rows: width, columns: width)
    for c in 0..<width { unit[c, c] = 1 }
    return transposed(normTransposed(unit, row: row, head), row: row)
  }

  /// Gradients [M, C] of row `row`'s state after the last block, given those of its norm [M, C].
  package func normTransposed(_ dNormed: Matrix, row: Int, _ head: OutputHead) -> Matrix {
    var dy = Matrix(rows: dNormed.rows, columns: dNormed.columns)
    head.compute.rmsNormBackward(
      output.repeated(row: row, dNormed.rows), weight: head.norm, epsilon: head.epsilon, dy: dNormed, into: &dy)
    return dy
  }
}
