import Kernels
import Testing

@Suite struct CholeskyTests {
  /// A = M Mᵀ + I of a seeded M.
  static func matrix(_ n: Int) -> [Double] {
    var generator = CounterRandom(seed: 1, stream: "cholesky").generator()
    let m = (0..<n * n).map { _ in Double.random(in: -1...1, using: &generator) }
    return (0..<n * n).map { k in
      let (i, j) = (k / n, k % n)
      return (0..<n).reduce(i == j ? 1.0 : 0) { $0 + m[i * n + $1] * m[j * n + $1] }
    }
  }

  @Test(arguments: [1, 2, 7, 33]) func factorSolvesAndWhitens(n: Int) throws {
    let a = Self.matrix(n)
    let factor = try #require(Cholesky(a, order: n))
    let b = (0..<n * 3).map { Double($0 % 5) - 2 }
    let x = factor.solve(b, columns: 3)
    let inverse = factor.inverseLower
    for i in 0..<n {
      for j in 0..<3 {
        let product = (0..<n).reduce(0.0) { $0 + a[i * n + $1] * x[$1 * 3 + j] }
        #expect(abs(product - b[i * 3 + j]) < 1e-9)
      }
      for j in 0..<n {
        // L Lᵀ = A, and L⁻¹ A L⁻ᵀ = I.
        let square = (0..<n).reduce(0.0) { $0 + factor.lower[i * n + $1] * factor.lower[j * n + $1] }
        #expect(abs(square - a[i * n + j]) < 1e-9)
        var white = 0.0
        for k in 0..<n { for l in 0..<n { white += inverse[i * n + k] * a[k * n + l] * inverse[j * n + l] } }
        #expect(abs(white - (i == j ? 1 : 0)) < 1e-8)
      }
    }
  }

  @Test func indefiniteMatricesAreRefused() {
    #expect(Cholesky([1, 2, 2, 1], order: 2) == nil)
  }
}
