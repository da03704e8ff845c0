import Kernels
import TestSupport
import Testing

/// Orthogonal Procrustes on rows that a known rotation connects.
@Suite struct ProcrustesTests {
  /// Rows of `a` turned by reflections, which are orthogonal by construction.
  static func turned(_ a: Matrix, _ random: inout SplitMix) -> Matrix {
    var out = a
    for _ in 0..<3 {
      let v = (0..<a.columns).map { _ in random.gaussian() }
      let square = v.reduce(0) { $0 + $1 * $1 }
      for r in 0..<a.rows {
        let along = zip(out[row: r], v).reduce(0.0) { $0 + Double($1.0) * $1.1 }
        for c in 0..<a.columns { out[r, c] -= Float(2 * along * v[c] / square) }
      }
    }
    return out
  }

  static func image(_ a: Matrix, _ found: (energies: [Double], from: [Double], to: [Double]), pairs: Int) -> Matrix {
    let c = a.columns
    var out = Matrix(rows: a.rows, columns: c)
    for r in 0..<a.rows {
      for i in 0..<pairs {
        let along = (0..<c).reduce(0.0) { $0 + Double(a[r, $1]) * found.from[i * c + $1] }
        for k in 0..<c { out[r, k] += Float(along * found.to[i * c + k]) }
      }
    }
    return out
  }

  @Test(arguments: [8, 30]) func aRotationComesBack(rows: Int) {
    var random = SplitMix(state: 4)
    let a = Matrix(rows: rows, columns: 8, values: (0..<rows * 8).map { _ in Float(random.gaussian()) })
    let b = Self.turned(a, &random)
    let found = Compute(threads: 1).procrustes(a, b)
    #expect(found.energies == found.energies.sorted(by: >))
    #expect(largestDifference(Self.image(a, found, pairs: 8).values, b.values) < 1e-5)
    // It is the rotation, not a map of these rows alone: others go the same way.
    random = SplitMix(state: 4)
    for _ in 0..<rows * 8 { _ = random.gaussian() }
    let others = Matrix(rows: 2, columns: 8, values: (0..<16).map { Float($0) - 7 })
    #expect(largestDifference(Self.image(others, found, pairs: 8).values, Self.turned(others, &random).values) < 1e-4)
  }

  /// Three rows say where three directions go; the other energies are 0.
  @Test func fewRowsLeaveTheRestOpen() {
    var random = SplitMix(state: 5)
    let a = Matrix(rows: 3, columns: 8, values: (0..<24).map { _ in Float(random.gaussian()) })
    let b = Self.turned(a, &random)
    let found = Compute(threads: 1).procrustes(a, b)
    #expect(found.energies[2] > 1e-2 && found.energies[3] < 1e-6)
    #expect(largestDifference(Self.image(a, found, pairs: 3).values, b.values) < 1e-5)
    #expect(Compute().procrustes(Matrix(rows: 0, columns: 2), Matrix(rows: 0, columns: 2)).energies == [0, 0])
  }
}
