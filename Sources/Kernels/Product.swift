import CKernels

extension Compute {
  /// C ← α · op(A) · op(B) + β · C, op being the matrix or its transpose: the small products of low-rank adapters and of gradients.
  package func product(
    _ a: Matrix, _ b: Matrix, transposeA ta: Bool = false, transposeB tb: Bool = false, alpha: Float = 1, beta: Float = 0,
    into c: inout Matrix
  ) {
    let (m, k) = ta ? (a.columns, a.rows) : (a.rows, a.columns)
    let (kb, n) = tb ? (b.columns, b.rows) : (b.rows, b.columns)
    precondition(k == kb && c.rows == m && c.columns == n, "[\(m), \(k)] x [\(kb), \(n)] into [\(c.rows), \(c.columns)]")
    guard m > 0, n > 0 else { return }
    let failed = c.values.withUnsafeMutableBufferPointer { out in
      fs_product(
        library.rawValue, Int32(threads), ta ? 1 : 0, tb ? 1 : 0, Int32(m), Int32(n), Int32(k), alpha, a.values, Int32(a.columns),
        b.values, Int32(b.columns), beta, out.baseAddress!, Int32(n))
    }
    precondition(failed == 0, "the product [\(m), \(k)] x [\(k), \(n)] was refused by \(library)")
  }

  /// op(A) · op(B).
  package func product(_ a: Matrix, _ b: Matrix, transposeA ta: Bool = false, transposeB tb: Bool = false, alpha: Float = 1) -> Matrix {
    var c = Matrix(rows: ta ? a.columns : a.rows, columns: tb ? b.rows : b.columns)
    product(a, b, transposeA: ta, transposeB: tb, alpha: alpha, into: &c)
    return c
  }
}
