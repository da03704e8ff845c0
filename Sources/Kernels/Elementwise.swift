import CKernels

extension Compute {
  /// gate ← silu(gate) ⊙ up (Shazeer 2020, SwiGLU). Both [B, F].
  package func swiglu(_ gate: inout Matrix, up: Matrix) {
    precondition(gate.rows == up.rows && gate.columns == up.columns, "gate and up differ in shape")
    gate.values.withUnsafeMutableBufferPointer { g in
      if let base = g.baseAddress { fs_swiglu(g.count, base, up.values, Int32(threads)) }
    }
  }

  /// Gradients of silu(gate) ⊙ up with respect to gate and up, given that of the product. All [B, F].
  package func swigluBackward(gate: Matrix, up: Matrix, dy: Matrix) -> (gate: Matrix, up: Matrix) {
    precondition(gate.values.count == up.values.count && dy.values.count == up.values.count, "gate, up and dy differ in shape")
    var dUp = Matrix(rows: 0, columns: 0)
    let dGate = Matrix(rows: gate.rows, columns: gate.columns) { g in
      dUp = Matrix(rows: gate.rows, columns: gate.columns) { u in
        fs_swiglu_backward(gate.values.count, gate.values, up.values, dy.values, g, u, Int32(threads))
      }
    }
    return (dGate, dUp)
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
}
