package import Kernels

/// Least squares by normal equations: XᵀX and XᵀY are summed over batches in double precision, then solved by Cholesky's factorisation.
package struct NormalEquations {
  package let inputs: Int
  package let outputs: Int
  private var rows = 0
  /// XᵀX [inputs, inputs] and XᵀY [inputs, outputs].
  private var gram: [Double]
  private var cross: [Double]

  package init(inputs: Int, outputs: Int) {
    (self.inputs, self.outputs) = (inputs, outputs)
    gram = [Double](repeating: 0, count: inputs * inputs)
    cross = [Double](repeating: 0, count: inputs * outputs)
  }

  /// Adds rows x [n, inputs] with targets y [n, outputs]; without targets only XᵀX grows.
  package mutating func add(_ x: Matrix, _ y: Matrix?, _ compute: Compute) {
    precondition(x.columns == inputs && (y.map { $0.rows == x.rows && $0.columns == outputs } ?? true), "rows of another problem")
    rows += x.rows
    for (i, value) in compute.product(x, x, transposeA: true).values.enumerated() { gram[i] += Double(value) }
    guard let y else { return }
    for (i, value) in compute.product(x, y, transposeA: true).values.enumerated() { cross[i] += Double(value) }
  }

  /// Makes XᵀY the identity times the number of rows: the solution is then the inverse of XᵀX/n + ridge.
  package mutating func setIdentityTargets() {
    precondition(inputs == outputs, "an inverse needs as many outputs as inputs")
    for i in cross.indices { cross[i] = i % (inputs + 1) == 0 ? Double(rows) : 0 }
  }

  /// W [inputs, outputs] of least ‖XW − Y‖² / n + λ‖W‖², λ being `ridge` times the mean of the diagonal of XᵀX/n.
  package func solution(ridge: Double) -> [Double] {
    let (n, m, count) = (inputs, outputs, Double(max(1, rows)))
    var a = gram.map { $0 / count }
    let mean = (0..<n).reduce(0.0) { $0 + a[$1 * n + $1] } / Double(n)
    for i in 0..<n { a[i * n + i] += max(ridge * mean, 1e-12) }
    // Rounding can leave a matrix of dependent columns indefinite; a larger ridge makes it definite.
    var jitter = max(ridge * mean, 1e-12)
    var factor = Cholesky(a, order: n)
    while factor == nil && jitter.isFinite {
      for i in 0..<n { a[i * n + i] += jitter }
      jitter *= 10
      factor = Cholesky(a, order: n)
    }
    // Sums that are not finite have no solution: nothing is learned from them.
    guard let factor else { return [Double](repeating: 0, count: n * m) }
    return factor.solve(cross.map { $0 / count }, columns: m)
  }
}
