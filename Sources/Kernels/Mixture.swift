import CKernels

extension Compute {
  /// Relaxed tokens: X[r] = Σ_i softmax(Z[r] / τ)_i · table[ids[r, i]] (Song & Raghunathan 2020, equation 3, over a list of K candidates).
  /// - Parameters:
  ///   - logits: Z [N, K].
  ///   - ids: [N, K] flat, rows of `table`; traps outside it.
  ///   - temperature: τ > 0.
  ///   - table: [any, columns] flat.
  /// - Returns: the weights [N, K] and X [N, columns].
  package func mixture(_ logits: Matrix, ids: [Int32], temperature: Float, table: [Float], columns: Int) -> (weights: Matrix, mixed: Matrix)
  {
    check(logits, ids, temperature, table, columns)
    var mixed = Matrix(rows: 0, columns: columns)
    let weights = Matrix(rows: logits.rows, columns: logits.columns) { p in
      mixed = Matrix(rows: logits.rows, columns: columns) { x in
        fs_mixture(
          Int32(logits.rows), Int32(logits.columns), Int32(columns), logits.values, ids, 1 / temperature, table, p, x, Int32(threads))
      }
    }
    return (weights, mixed)
  }

  /// Gradient with respect to Z of a loss with gradient `dMixed` [N, columns] at X, plus Σ weights · cost.
  /// - Parameters:
  ///   - weights: as `mixture` returned them, [N, K].
  ///   - cost: [N, K], or nil.
  /// - Returns: [N, K].
  package func mixtureBackward(
    _ weights: Matrix, ids: [Int32], temperature: Float, table: [Float], dMixed: Matrix, cost: Matrix? = nil
  ) -> Matrix {
    check(weights, ids, temperature, table, dMixed.columns)
    precondition(dMixed.rows == weights.rows && (cost?.values.count ?? ids.count) == ids.count, "gradients or costs of other rows")
    return Matrix(rows: weights.rows, columns: weights.columns) { dz in
      fs_mixture_backward(
        Int32(weights.rows), Int32(weights.columns), Int32(dMixed.columns), weights.values, ids, 1 / temperature, table, dMixed.values,
        cost?.values, dz, Int32(threads))
    }
  }

  private func check(_ x: Matrix, _ ids: [Int32], _ temperature: Float, _ table: [Float], _ columns: Int) {
    precondition(ids.count == x.values.count && x.columns > 0 && temperature > 0, "\(ids.count) ids for [\(x.rows), \(x.columns)]")
    let rows = Int32(table.count / max(1, columns))
    precondition(ids.allSatisfy { $0 >= 0 && $0 < rows }, "an id outside 0..<\(rows)")
  }
}
