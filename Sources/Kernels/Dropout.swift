import CKernels

extension Compute {
  /// x[r, c] / (1 − rate), or zero with probability `rate`: whether, is a hash of `key`, `rows[r]` and c. x [B, C].
  package func dropout(_ x: Matrix, rate: Float, rows: [UInt64], key: UInt64) -> Matrix {
    precondition(rows.count == x.rows && rate >= 0 && rate < 1, "\(rows.count) row names for \(x.rows) rows")
    let threshold = UInt32((Double(rate) * 0x1p32).rounded())
    return Matrix(rows: x.rows, columns: x.columns) { y in
      x.values.withUnsafeBufferPointer { x_ in
        guard let base = x_.baseAddress else { return }
        fs_dropout(Int32(x.rows), Int32(x.columns), base, rows, key, threshold, 1 / (1 - rate), y, Int32(threads))
      }
    }
  }
}
