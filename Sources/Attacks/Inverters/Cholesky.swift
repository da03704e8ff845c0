import Kernels

/// Cholesky factors of small symmetric positive definite matrices, in double precision.
enum Cholesky {
  /// L, lower triangular, with L Lᵀ = `a` [n · n, row by row]; nil unless `a` is positive definite.
  static func factor(_ a: [Double], size n: Int) -> [Double]? {
    var l = [Double](repeating: 0, count: n * n)
    for i in 0..<n {
      for j in 0...i {
        var total = a[i * n + j]
        for k in 0..<j { total -= l[i * n + k] * l[j * n + k] }
        if i == j {
          guard total > 0, total.isFinite else { return nil }
          l[i * n + i] = total.squareRoot()
        } else {
          l[i * n + j] = total / l[j * n + j]
        }
      }
    }
    return l
  }

  /// L⁻¹ of a lower triangular L.
  static func inverse(lower l: [Double], size n: Int) -> [Double] {
    var out = [Double](repeating: 0, count: n * n)
    // Row i of L⁻¹ is (e_i − Σ_{k<i} L_ik row_k) / L_ii; rows are contiguous.
    for i in 0..<n {
      for k in 0..<i {
        let factor = l[i * n + k]
        if factor == 0 { continue }
        for j in 0...k { out[i * n + j] -= factor * out[k * n + j] }
      }
      let scale = 1 / l[i * n + i]
      for j in 0..<i { out[i * n + j] *= scale }
      out[i * n + i] = scale
    }
    return out
  }
}

/// Second moments of rows about their mean, gathered batch by batch.
struct Covariance {
  private(set) var count = 0
  private var sum: [Double]
  private var products: [Double]
  private let size: Int

  init(_ size: Int) {
    self.size = size
    sum = [Double](repeating: 0, count: size)
    products = [Double](repeating: 0, count: size * size)
  }

  /// Adds the rows of `x` [B, size].
  mutating func add(_ x: Matrix, _ compute: Compute) {
    guard x.rows > 0 else { return }
    let square = compute.product(x, x, transposeA: true)
    for i in products.indices { products[i] += Double(square.values[i]) }
    for (i, mean) in columnMeans(x).enumerated() { sum[i] += Double(mean) * Double(x.rows) }
    count += x.rows
  }

  var mean: [Double] { sum.map { $0 / Double(max(1, count)) } }

  /// The covariance plus `ridge` times its mean diagonal (at least 1e-12), [size · size].
  func matrix(ridge: Double) -> [Double] {
    let (n, mean) = (Double(max(1, count)), mean)
    var out = products
    for i in 0..<size { for j in 0..<size { out[i * size + j] = out[i * size + j] / n - mean[i] * mean[j] } }
    let diagonal = (0..<size).reduce(0) { $0 + out[$1 * size + $1] } / Double(size)
    for i in 0..<size { out[i * size + i] += max(1e-12, ridge * diagonal) }
    return out
  }
}
