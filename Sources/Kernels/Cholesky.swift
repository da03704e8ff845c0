import COpenBLAS

/// L Lᵀ of a symmetric positive definite matrix in Float64 (LAPACK dpotrf), for least squares and whitening.
package struct Cholesky: Sendable {
  package let order: Int
  /// The lower triangle row by row: entry (i, j), j ≤ i, at i · order + j; the rest is 0.
  package let lower: [Double]

  /// Nil when `matrix` [n, n] is not positive definite.
  package init?(_ matrix: [Double], order n: Int) {
    precondition(matrix.count == n * n, "\(matrix.count) values for order \(n)")
    var a = matrix
    var (size, leading, info, triangle) = (Int32(n), Int32(n), Int32(0), CChar(UInt8(ascii: "U")))
    // Column-major "upper" is the row-major lower triangle.
    if n > 0 { dpotrf_(&triangle, &size, &a, &leading, &info, 1) }
    guard info == 0 else { return nil }
    for i in 0..<n { for j in i + 1..<max(n, i + 1) { a[i * n + j] = 0 } }
    (order, lower) = (n, a)
  }

  /// A⁻¹ B for B [n, columns], row-major.
  package func solve(_ b: [Double], columns: Int) -> [Double] {
    precondition(b.count == order * columns, "\(b.count) values for [\(order), \(columns)]")
    guard order > 0, columns > 0 else { return [] }
    // LAPACK is column-major: B there is [n, columns] by columns, so transpose on the way in and out.
    var x = [Double](repeating: 0, count: b.count)
    for i in 0..<order { for j in 0..<columns { x[j * order + i] = b[i * columns + j] } }
    var (a, size, right, info, triangle) = (lower, Int32(order), Int32(columns), Int32(0), CChar(UInt8(ascii: "U")))
    var (leading, leadingRight) = (size, size)
    dpotrs_(&triangle, &size, &right, &a, &leading, &x, &leadingRight, &info, 1)
    precondition(info == 0, "dpotrs reports argument \(-info)")
    var out = [Double](repeating: 0, count: b.count)
    for i in 0..<order { for j in 0..<columns { out[i * columns + j] = x[j * order + i] } }
    return out
  }

  /// L⁻¹ row-major: it whitens vectors of covariance L Lᵀ.
  package var inverseLower: [Double] {
    var (a, size, leading, info) = (lower, Int32(order), Int32(order), Int32(0))
    var (triangle, diagonal) = (CChar(UInt8(ascii: "U")), CChar(UInt8(ascii: "N")))
    if order > 0 { dtrtri_(&triangle, &diagonal, &size, &a, &leading, &info, 1, 1) }
    precondition(info == 0, "dtrtri reports \(info)")
    return a
  }
}
