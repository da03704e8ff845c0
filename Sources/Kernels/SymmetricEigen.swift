import COpenBLAS

extension Compute {
  /// Eigenvalues and eigenvectors of a symmetric matrix by LAPACK's `dsyevd` (divide and conquer) in double precision.
  ///
  /// The right singular vectors of a tall E are the eigenvectors of EᵀE, its singular values their square roots: cheaper than an SVD when E has
  /// many more rows than columns, at the price of half the digits of the smallest singular values.
  /// - Parameter a: [n, n]; only its lower triangle is read. Traps unless it is square and finite.
  /// - Returns: eigenvalues, largest first, and the eigenvectors as rows [n, n], of unit length, signs as LAPACK leaves them.
  package func symmetricEigen(_ a: Matrix) -> (values: [Float], vectors: Matrix) {
    let n = a.rows
    precondition(a.columns == n && a.values.allSatisfy(\.isFinite), "[\(n), \(a.columns)] is no finite symmetric matrix")
    guard n > 0 else { return ([], a) }
    openblas_set_num_threads(Int32(threads))
    // Row-major and column-major agree on a symmetric matrix, but for the triangle's name.
    var matrix = a.values.map(Double.init)
    var eigenvalues = [Double](repeating: 0, count: n)
    var size = Int32(n)
    var (workSize, integerSize, info) = (Int32(-1), Int32(-1), Int32(0))
    var (work, integers) = ([0.0], [Int32(0)])
    func solve() {
      dsyevd_("V", "U", &size, &matrix, &size, &eigenvalues, &work, &workSize, &integers, &integerSize, &info, 1, 1)
      precondition(info == 0, "dsyevd failed on a matrix of \(n) rows: \(info)")
    }
    solve()  // asks for the size of its workspace
    (workSize, integerSize) = (Int32(work[0]), integers[0])
    work = [Double](repeating: 0, count: Int(workSize))
    integers = [Int32](repeating: 0, count: Int(integerSize))
    solve()
    // Eigenvector i is column i of a column-major matrix: row i of ours. Ascending order becomes descending.
    var vectors = Matrix(rows: n, columns: n)
    for i in 0..<n { for c in 0..<n { vectors.values[i * n + c] = Float(matrix[(n - 1 - i) * n + c]) } }
    return (eigenvalues.reversed().map(Float.init), vectors)
  }
}
