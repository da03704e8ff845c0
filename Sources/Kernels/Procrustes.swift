import COpenBLAS

extension Compute {
  /// Orthogonal Procrustes (Schönemann 1966): the rotation Q that takes rows of `a` [N, C] nearest to those of `b` [N, C], min ‖A Q − B‖ over QᵀQ = 1.
  ///
  /// From the singular value decomposition AᵀB = Σ sᵢ eᵢᵀ fᵢ, formed in double precision, Q = Σ eᵢᵀ fᵢ: it takes eᵢ to fᵢ. Where the rows agree,
  /// sᵢ is their energy along eᵢ, so the pairs of largest values are known best, and those of value 0 are arbitrary. Traps unless the rows are finite.
  /// - Returns: C energies, largest first, and the pairs as rows [C, C].
  package func procrustes(_ a: Matrix, _ b: Matrix) -> (energies: [Double], from: [Double], to: [Double]) {
    precondition(a.rows == b.rows && a.columns == b.columns, "[\(a.rows), \(a.columns)] against [\(b.rows), \(b.columns)]")
    let (n, c) = (Int32(a.rows), Int32(a.columns))
    var product = [Double](repeating: 0, count: a.columns * a.columns)
    if n > 0 && c > 0 {
      openblas_set_num_threads(Int32(threads))
      cblas_dgemm(
        Int32(fs_cblas_row_major), Int32(fs_cblas_trans), Int32(fs_cblas_no_trans), c, c, n, 1,
        a.values.map(Double.init), c, b.values.map(Double.init), c, 0, &product, c)
    }
    let found = singular(product, rows: a.columns, columns: a.columns)
    return (found.values, found.left, found.right)
  }
}
