import Foundation
package import Kernels
import Llama

/// X = m + c B, c = 5 · atan(z)/π: coefficients in the basis of the centred embedding table's right singular vectors, each bounded by 2.5 times
/// its deviation over the vocabulary.
package struct SubspaceCoefficients: EmbeddingParametrisation {
  /// z [N, r] flat.
  package var values: [Float]
  private let rows: Int
  private let basis: SingularBasis
  /// Weight of ½ Σ c²: 1 is a Gaussian prior with the vocabulary's second moments.
  private let ridge: Float

  /// Starts at the mean embedding.
  package init(rows: Int, basis: SingularBasis, ridge: Float) {
    (self.rows, self.basis, self.ridge) = (rows, basis, ridge)
    values = [Float](repeating: 0, count: rows * basis.vectors.rows)
  }

  private var coefficients: Matrix {
    Matrix(rows: rows, columns: basis.vectors.rows, values: values.map { 5 / Float.pi * atan($0) })
  }

  package mutating func embeddings(_ compute: Compute) -> Matrix { found(compute) }

  package func gradient(_ dX: Matrix, _ compute: Compute) -> (values: [Float], penalty: Double) {
    var gradient = compute.product(dX, basis.vectors, transposeB: true).values
    var nats = 0.0
    for (i, z) in values.enumerated() {
      let c = 5 / Float.pi * atan(z)
      gradient[i] = (gradient[i] + ridge * c) * (5 / Float.pi) / (1 + z * z)
      nats += Double(ridge * c * c / 2)
    }
    return (gradient, nats)
  }

  /// X [N, C].
  package func found(_ compute: Compute) -> Matrix {
    var x = compute.product(coefficients, basis.vectors)
    compute.addBias(&x, basis.mean)
    return x
  }
}

/// Right singular vectors of the centred embedding table E − m = U S Rᵀ, scaled: row i is s_i/√V · R_i, so that a token's coefficients have mean
/// square 1.
package struct SingularBasis: Sendable {
  /// [r, C].
  package let vectors: Matrix
  /// m, the mean embedding [C].
  package let mean: [Float]

  /// The `rank` leading vectors of `table` [V, width] flat; all of them for 0. From the eigenvectors of (E − m)ᵀ(E − m).
  package init(_ table: [Float], width: Int, rank: Int, _ compute: Compute) {
    let (squares, vectors, mean) = principalAxes(table, width: width, compute)
    // A direction with less than a millionth of the first one's size is rounding, and carries no token.
    let usable = squares.prefix { $0 > 1e-12 * max(squares[0], 1e-30) }.count
    var scaled = vectors.slice(0..<max(1, min(rank == 0 ? width : rank, usable)))
    for i in 0..<scaled.rows {
      let size = max(0, squares[i]).squareRoot()
      for c in 0..<width { scaled[i, c] *= size }
    }
    (self.vectors, self.mean) = (scaled, mean)
  }
}

/// Variances of an embedding table [V, width] along its principal axes, largest first, the axes as rows [width, width], and the mean [width].
/// Rows whose squares f32 cannot hold are left out: no text has such a token.
func principalAxes(_ table: [Float], width: Int, _ compute: Compute) -> (variances: [Float], axes: Matrix, mean: [Float]) {
  var e = Matrix(rows: table.count / width, columns: width, values: table)
  let usable = (0..<e.rows).filter { r in e[row: r].allSatisfy { $0.magnitude < 1e15 } }
  if usable.count < e.rows { e = usable.isEmpty ? Matrix(rows: 1, columns: width) : compute.gather(e, rows: usable[...]) }
  let mean = columnMeans(e)
  var second = compute.product(e, e, transposeA: true, alpha: 1 / Float(e.rows))
  for i in 0..<width { for j in 0..<width { second[i, j] -= mean[i] * mean[j] } }
  let (variances, axes) = compute.symmetricEigen(second)
  return (variances, axes, mean)
}
