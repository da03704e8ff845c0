import CKernels

extension Compute {
  /// y = x / √(mean(x²) + ε) · weight, row by row (Zhang & Sennrich 2019). `x` [B, C], `weight` [C].
  package func rmsNorm(_ x: Matrix, weight: [Float], epsilon: Float) -> Matrix {
    precondition(weight.count == x.columns, "norm weight [\(weight.count)] for rows of \(x.columns)")
    return Matrix(rows: x.rows, columns: x.columns) { y in
      x.values.withUnsafeBufferPointer { x_ in
        guard let base = x_.baseAddress else { return }
        fs_rms_norm(Int32(x.rows), Int32(x.columns), base, weight, epsilon, y, Int32(threads))
      }
    }
  }

  /// dx ← dx + Jᵀ dy of `rmsNorm` at `x`; the norm's weight is frozen. All [B, C].
  package func rmsNormBackward(_ x: Matrix, weight: [Float], epsilon: Float, dy: Matrix, into dx: inout Matrix) {
    precondition(dy.rows == x.rows && dx.rows == x.rows && dy.columns == x.columns && dx.columns == x.columns, "shapes differ")
    let (rows, columns) = (Int32(x.rows), Int32(x.columns))
    dx.values.withUnsafeMutableBufferPointer { target in
      if let base = target.baseAddress { fs_rms_norm_backward(rows, columns, x.values, weight, epsilon, dy.values, base, Int32(threads)) }
    }
  }

  /// dw ← dw + gradient of `rmsNorm` with respect to its weight [C]. x, dy [B, C].
  package func rmsNormWeightBackward(_ x: Matrix, epsilon: Float, dy: Matrix, into dw: inout [Float]) {
    precondition(dy.rows == x.rows && dy.columns == x.columns && dw.count == x.columns, "shapes differ")
    fs_rms_norm_weight_backward(Int32(x.rows), Int32(x.columns), x.values, epsilon, dy.values, &dw, Int32(threads))
  }
}
