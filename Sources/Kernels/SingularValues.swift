import COpenBLAS

extension Compute {
  /// Singular values and right singular vectors of a matrix by LAPACK's `dgesdd` in double precision: what its row space is, to the last digit
  /// that its values have. (`symmetricEigen` of AᵀA would lose half of them.)
  /// - Parameter a: [m, n]. Traps unless its values are finite.
  /// - Returns: min(m, n) values, largest first, and their vectors as rows [min(m, n), n] of unit length.
  package func rightSingular(_ a: Matrix) -> (values: [Double], vectors: [Double]) {
    precondition(a.values.allSatisfy(\.isFinite), "a matrix [\(a.rows), \(a.columns)] with values that are not finite")
    let count = min(a.rows, a.columns)
    guard count > 0 else { return ([], []) }
    openblas_set_num_threads(Int32(threads))
    // Row-major A is column-major Aᵀ [n, m]: its left singular vectors, columns of length n one after another, are our right ones.
    var matrix = a.values.map(Double.init)
    var (m, n, one) = (Int32(a.columns), Int32(a.rows), Int32(count))
    var values = [Double](repeating: 0, count: count)
    var vectors = [Double](repeating: 0, count: a.columns * count)
    var others = [Double](repeating: 0, count: count * a.rows)
    var work = [0.0]
    var (size, info) = (Int32(-1), Int32(0))
    var integers = [Int32](repeating: 0, count: 8 * count)
    func solve() {
      dgesdd_("S", &m, &n, &matrix, &m, &values, &vectors, &m, &others, &one, &work, &size, &integers, &info, 1)
      precondition(info == 0, "dgesdd failed on [\(a.rows), \(a.columns)]: \(info)")
    }
    solve()  // asks for the size of its workspace
    size = Int32(work[0])
    work = [Double](repeating: 0, count: Int(size))
    solve()
    return (values, vectors)
  }
}
