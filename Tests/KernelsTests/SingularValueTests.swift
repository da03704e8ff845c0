import Kernels
import TestSupport
import Testing

/// Right singular vectors of tall, wide and rank-deficient matrices.
@Suite struct SingularValueTests {
  @Test(arguments: [(7, 5), (5, 7), (6, 6)]) func aProductComesBack(rows: Int, columns: Int) {
    var random = SplitMix(state: 1)
    let a = Matrix(rows: rows, columns: columns, values: (0..<rows * columns).map { _ in Float(random.gaussian()) })
    let (values, vectors) = Compute(threads: 1).rightSingular(a)
    #expect(values.count == min(rows, columns) && values == values.sorted(by: >))
    // ‖A v‖ = s for every right vector, and the vectors are orthonormal.
    for i in values.indices {
      let v = Array(vectors[i * columns..<(i + 1) * columns])
      let image = (0..<rows).reduce(0.0) { sum, r in
        let y = zip(a[row: r], v).reduce(0.0) { $0 + Double($1.0) * $1.1 }
        return sum + y * y
      }
      #expect(abs(image.squareRoot() - values[i]) < 1e-6)
      for j in values.indices {
        let dot = zip(v, vectors[j * columns..<(j + 1) * columns]).reduce(0.0) { $0 + $1.0 * $1.1 }
        #expect(abs(dot - (i == j ? 1 : 0)) < 1e-10)
      }
    }
  }

  @Test func aMissingDirectionHasNoValue() {
    let a = Matrix(rows: 3, columns: 3, values: [1, 2, 3, 2, 4, 6, 0, 0, 1])
    let values = Compute(threads: 1).rightSingular(a).values
    #expect(values[1] > 0.1 && values[2] < 1e-12)
    #expect(Compute().rightSingular(Matrix(rows: 0, columns: 4)).values.isEmpty)
  }
}
