import CKernels

extension Compute {
  /// gate ← silu(gate) ⊙ up (Shazeer 2020, SwiGLU). Both [B, F].
  package func swiglu(_ gate: inout Matrix, up: Matrix) {
    precondition(gate.rows == up.rows && gate.columns == up.columns, "gate and up differ in shape")
    gate.values.withUnsafeMutableBufferPointer { g in
      if let base = g.baseAddress { fs_swiglu(g.count, base, up.values, Int32(threads)) }
    }
  }

  /// silu(gate) ⊙ up [B, F] of gate and up side by side [B, 2F].
  package func gated(_ gateUp: Matrix) -> Matrix {
    precondition(gateUp.columns % 2 == 0, "gate and up in \(gateUp.columns) columns")
    return Matrix(rows: gateUp.rows, columns: gateUp.columns / 2) { out in
      fs_gated(Int32(gateUp.rows), Int32(gateUp.columns / 2), gateUp.values, out, Int32(threads))
    }
  }

  /// Gradients with respect to gate and up, side by side [B, 2F], given that of `gated` [B, F].
  package func gatedBackward(_ gateUp: Matrix, dy: Matrix) -> Matrix {
    precondition(gateUp.rows == dy.rows && gateUp.columns == 2 * dy.columns, "gate, up and dy differ in shape")
    return Matrix(rows: gateUp.rows, columns: gateUp.columns) { out in
      fs_gated_backward(Int32(dy.rows), Int32(dy.columns), gateUp.values, dy.values, out, Int32(threads))
    }
  }

  /// x ← x + y.
  package func add(_ x: inout Matrix, _ y: Matrix) {
    precondition(x.rows == y.rows && x.columns == y.columns, "[\(x.rows), \(x.columns)] + [\(y.rows), \(y.columns)]")
    x.values.withUnsafeMutableBufferPointer { x_ in
      if let base = x_.baseAddress { fs_add(x_.count, base, y.values, Int32(threads)) }
    }
  }

  /// Adds `bias` [C] to every row of `x` [B, C].
  package func addBias(_ x: inout Matrix, _ bias: [Float]) {
    precondition(bias.count == x.columns, "bias [\(bias.count)] for rows of \(x.columns)")
    let (rows, columns) = (x.rows, x.columns)
    x.values.withUnsafeMutableBufferPointer { x_ in
      if let base = x_.baseAddress { fs_add_bias(Int32(rows), Int32(columns), base, bias, Int32(threads)) }
    }
  }

  /// Σ_c (x[i, c] − y[target[i], c])² for every row i of `x` [B, C]; `y` [any, C].
  package func squaredDistances(_ x: Matrix, to y: Matrix, target: [Int32]) -> [Float] {
    precondition(y.columns == x.columns && target.count == x.rows, "[\(x.rows), \(x.columns)] against [\(y.rows), \(y.columns)]")
    precondition(target.allSatisfy { $0 >= 0 && $0 < y.rows }, "a target row outside 0..<\(y.rows)")
    return .filled(x.rows) { fs_squared_distances(Int32(x.rows), Int32(x.columns), x.values, y.values, target, $0, Int32(threads)) }
  }

  /// x[i] ← x[i] · min(1, bound / ‖x[i]‖₂) for every row of `x` [B, C].
  package func clipRows(_ x: inout Matrix, bound: Float) {
    let (rows, columns) = (x.rows, x.columns)
    x.values.withUnsafeMutableBufferPointer { x_ in
      if let base = x_.baseAddress { fs_clip_rows(Int32(rows), Int32(columns), base, bound, Int32(threads)) }
    }
  }

  /// ln Σ_c exp(x[i, c]) for every row i of `x` [B, C].
  package func logSumExp(_ x: Matrix) -> [Float] {
    .filled(x.rows) { fs_log_sum_exp(Int32(x.rows), Int32(x.columns), x.values, $0, Int32(threads)) }
  }

  /// x · factor; a product that is not finite becomes −10³⁰, so that whatever a file holds, scores order.
  package func scaleScores(_ x: inout Matrix, by factor: Float) {
    x.values.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      nonisolated(unsafe) let values = base
      parallel(over: buffer.count, grain: 1 << 16) { part in
        for i in part {
          let scaled = values[i] * factor
          values[i] = scaled.isFinite ? scaled : -1e30
        }
      }
    }
  }
}
