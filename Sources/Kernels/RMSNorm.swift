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
}
