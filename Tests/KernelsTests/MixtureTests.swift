import Foundation
import Kernels
import Testing

@Suite struct MixtureTests {
  @Test(arguments: [(1, 1, 3), (5, 7, 33), (4, 40, 64)]) func mixtureAndItsGradient(size: (Int, Int, Int)) {
    let (n, k, c) = size
    let compute = Compute(threads: 2)
    var generator = CounterRandom(seed: 1, stream: "mixture").generator()
    func draw(_ count: Int) -> [Float] { (0..<count).map { _ in Float.random(in: -2...2, using: &generator) } }
    let (table, z, dy, cost) = (draw(50 * c), draw(n * k), draw(n * c), draw(n * k))
    let ids = (0..<n * k).map { _ in Int32.random(in: 0..<50, using: &generator) }
    let tau = 0.3
    /// Weights and mixture in double precision.
    func naive(_ z: [Double], _ r: Int) -> (p: [Double], y: [Double]) {
      let e = (0..<k).map { exp(z[r * k + $0] / tau) }
      let p = e.map { $0 / e.reduce(0, +) }
      return (p, (0..<c).map { i in (0..<k).reduce(0) { $0 + p[$1] * Double(table[Int(ids[r * k + $1]) * c + i]) } })
    }
    let wide = z.map(Double.init)
    let (weights, mixed) = compute.mixture(
      Matrix(rows: n, columns: k, values: z), ids: ids, temperature: Float(tau), table: table, columns: c)
    let gradient = compute.mixtureBackward(
      weights, ids: ids, temperature: Float(tau), table: table, dMixed: Matrix(rows: n, columns: c, values: dy),
      cost: Matrix(rows: n, columns: k, values: cost))
    for r in 0..<n {
      let exact = naive(wide, r)
      for i in 0..<k { #expect(abs(Double(weights[r, i]) - exact.p[i]) < 1e-6) }
      for i in 0..<c { #expect(abs(Double(mixed[r, i]) - exact.y[i]) < 1e-5) }
      func loss(_ z: [Double]) -> Double {
        let (p, y) = naive(z, r)
        return zip(y, dy[r * c..<(r + 1) * c]).reduce(0) { $0 + $1.0 * Double($1.1) }
          + zip(p, cost[r * k..<(r + 1) * k]).reduce(0) { $0 + $1.0 * Double($1.1) }
      }
      for i in 0..<k {
        var (up, down) = (wide, wide)
        up[r * k + i] += 1e-5
        down[r * k + i] -= 1e-5
        #expect(abs(Double(gradient[r, i]) - (loss(up) - loss(down)) / 2e-5) < 1e-3)
      }
    }
  }

  @Test(arguments: [1, 2, 31, 96]) func eigenvectorsDiagonalise(n: Int) {
    let compute = Compute(threads: 2)
    var generator = CounterRandom(seed: 2, stream: "eigen").generator()
    let b = Matrix(rows: n, columns: n, values: (0..<n * n).map { _ in Float.random(in: -1...1, using: &generator) })
    let a = compute.product(b, b, transposeA: true)
    let (values, vectors) = compute.symmetricEigen(a)
    #expect(zip(values, values.dropFirst()).allSatisfy { $0 >= $1 })
    let unit = compute.product(vectors, vectors, transposeB: true)
    let image = compute.product(compute.product(vectors, a), vectors, transposeB: true)
    for i in 0..<n {
      for j in 0..<n {
        #expect(abs(unit[i, j] - (i == j ? 1 : 0)) < 1e-5)
        #expect(abs(image[i, j] - (i == j ? values[i] : 0)) < 1e-4 * Float(n))
      }
    }
  }
}
