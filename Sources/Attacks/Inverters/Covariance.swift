import Kernels

extension Cholesky {
  /// Of a covariance [n · n] with `variance` added to its diagonal, and as much more as makes it positive definite: rounding may make a nearly singular one
  /// indefinite. Nil where something is not finite.
  init?(covariance: [Double], plus variance: Double, order n: Int) {
    let mean = (0..<n).reduce(0) { $0 + covariance[$1 * n + $1] } / Double(max(1, n))
    var extra = variance
    while extra.isFinite, mean.isFinite {
      var shifted = covariance
      for i in 0..<n { shifted[i * n + i] += extra }
      if let factor = Cholesky(shifted, order: n) {
        self = factor
        return
      }
      extra = max(2 * extra, 1e-3 * abs(mean), 1e-12)
    }
    return nil
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
