import CKernels

extension Compute {
  /// C ← α · op(A) · op(B) + β · C, op being the matrix or its transpose: the small products of low-rank adapters and of gradients.
  /// - Parameters:
  ///   - columns: use only these columns of A; all by default.
  ///   - outputColumns: C is only these columns of `c`; all by default.
  package func product(
    _ a: Matrix, columns: Range<Int>? = nil, _ b: Matrix, transposeA ta: Bool = false, transposeB tb: Bool = false, alpha: Float = 1,
    beta: Float = 0, into c: inout Matrix, outputColumns: Range<Int>? = nil
  ) {
    let (used, written) = (columns ?? 0..<a.columns, outputColumns ?? 0..<c.columns)
    precondition(
      used.upperBound <= a.columns && written.upperBound <= c.columns, "columns \(used) of \(a.columns), \(written) of \(c.columns)")
    let (m, k) = ta ? (used.count, a.rows) : (a.rows, used.count)
    let (kb, n) = tb ? (b.columns, b.rows) : (b.rows, b.columns)
    precondition(k == kb && c.rows == m && written.count == n, "[\(m), \(k)] x [\(kb), \(n)] into [\(c.rows), \(written.count)]")
    guard m > 0, n > 0 else { return }
    let stride = Int32(c.columns)
    let failed = c.values.withUnsafeMutableBufferPointer { out in
      a.values.withUnsafeBufferPointer { a_ in
        fs_product(
          library.rawValue, Int32(threads), ta ? 1 : 0, tb ? 1 : 0, Int32(m), Int32(n), Int32(k), alpha, a_.baseAddress! + used.lowerBound,
          Int32(a.columns), b.values, Int32(b.columns), beta, out.baseAddress! + written.lowerBound, stride)
      }
    }
    precondition(failed == 0, "the product [\(m), \(k)] x [\(k), \(n)] was refused by \(library)")
  }

  /// α · op(A) · op(B), A being the matrix or some of its columns.
  package func product(
    _ a: Matrix, columns: Range<Int>? = nil, _ b: Matrix, transposeA ta: Bool = false, transposeB tb: Bool = false, alpha: Float = 1
  ) -> Matrix {
    let width = columns?.count ?? a.columns
    var c = Matrix(rows: ta ? width : a.rows, columns: tb ? b.rows : b.columns)
    product(a, columns: columns, b, transposeA: ta, transposeB: tb, alpha: alpha, into: &c)
    return c
  }
}
