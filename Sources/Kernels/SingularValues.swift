import COpenBLAS

extension Compute {
  /// Singular values and right singular vectors of a matrix by LAPACK's `dgesdd` in double precision: what its row space is, to the last digit
  /// that its values have. (`symmetricEigen` of AᵀA would lose half of them.)
  /// - Parameter a: [m, n]. Traps unless its values are finite.
  /// - Returns: min(m, n) values, largest first, and their vectors as rows [min(m, n), n] of unit length.
  package func rightSingular(_ a: Matrix) -> (values: [Double], vectors: [Double]) {
    precondition(a.values.allSatisfy(\.isFinite), "a matrix [\(a.rows), \(a.columns)] with values that are not finite")
    let found = singular(a.values.map(Double.init), rows: a.rows, columns: a.columns)
    return (found.values, found.right)
  }

  /// The thin singular value decomposition of a row-major matrix [rows, columns]: min(rows, columns) values, largest first, and as many left vectors as
  /// rows [·, rows] and right ones as rows [·, columns], of unit length. Traps unless `a` is finite.
  func singular(_ a: [Double], rows: Int, columns: Int) -> (values: [Double], left: [Double], right: [Double]) {
    precondition(a.count == rows * columns && a.allSatisfy(\.isFinite), "\(a.count) values, or some not finite, for [\(rows), \(columns)]")
    let count = min(rows, columns)
    guard count > 0 else { return ([], [], []) }
    openblas_set_num_threads(Int32(threads))
    // Row-major A is column-major Aᵀ [n, m]: its left singular vectors, columns of length n one after another, are our right ones.
    var matrix = a
    var (m, n, one) = (Int32(columns), Int32(rows), Int32(count))
    var values = [Double](repeating: 0, count: count)
    var right = [Double](repeating: 0, count: columns * count)
    // V of Aᵀ comes transposed: column j holds component j of every left vector of A.
    var components = [Double](repeating: 0, count: count * rows)
    var work = [0.0]
    var (size, info) = (Int32(-1), Int32(0))
    var integers = [Int32](repeating: 0, count: 8 * count)
    func solve() {
      dgesdd_("S", &m, &n, &matrix, &m, &values, &right, &m, &components, &one, &work, &size, &integers, &info, 1)
      precondition(info == 0, "dgesdd failed on [\(rows), \(columns)]: \(info)")
    }
    solve()  // asks for the size of its workspace
    size = Int32(work[0])
    work = [Double](repeating: 0, count: Int(size))
    solve()
    var left = [Double](repeating: 0, count: count * rows)
    for i in 0..<count { for j in 0..<rows { left[i * rows + j] = components[j * count + i] } }
    return (values, left, right)
  }
}
