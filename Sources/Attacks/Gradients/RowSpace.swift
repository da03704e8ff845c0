package import Kernels

/// The row space of a gradient ∂L/∂W_Q = Σ_t δ_t n_tᵀ [H·D, C]: the span of the inputs n_t that had a gradient. Its rank is shown by a gap in the
/// singular values, above the rounding of f32; where they fall step by step until there, it is the number of those that are above the rounding.
package struct RowSpace: Sendable {
  package let rank: Int
  /// Singular values, largest first.
  package let spectrum: [Double]
  /// Whether a gap shows the rank. Where none does, the directions of the smallest singular values are off by what rounding adds to them.
  package let isSharp: Bool
  /// Orthonormal rows [rank, C].
  private let basis: Matrix

  /// A gap is a fall of the singular values by at least this factor.
  package static let gap = 30.0
  /// Singular values below this share of the largest are rounding.
  private static let floor = 3e-8
  /// Where no gap shows, those are above it that exceed the median of the values that can be nothing else by this factor.
  private static let aboveRounding = 3.0

  /// - Parameters:
  ///   - gradient: [H·D, C], finite.
  ///   - most: the rank is at most this.
  /// - Returns: nil when no singular value within that stands out.
  package init?(_ gradient: Matrix, most: Int, _ compute: Compute) {
    let (values, vectors) = compute.rightSingular(gradient)
    guard let largest = values.first, largest > 0 else { return nil }
    let limit = min(most, values.count - 1)
    guard limit >= 1 else { return nil }
    // The widest fall between two neighbours, the lower one at least at the floor of rounding.
    func fall(_ k: Int) -> Double { values[k - 1] / max(values[k], Self.floor * largest) }
    let best = (1...limit).max { fall($0) < fall($1) }!
    isSharp = fall(best) >= Self.gap
    let rest = values[limit...].sorted()
    rank = isSharp ? best : values[..<limit].count { $0 > Self.aboveRounding * rest[rest.count / 2] }
    guard rank > 0 else { return nil }
    spectrum = values
    basis = Matrix(rows: rank, columns: gradient.columns, values: vectors[..<(rank * gradient.columns)].map(Float.init))
  }

  /// ‖x − P x‖ / ‖x‖ of every row of `x` [B, C], P the projection onto the span; 1 for rows of zeros.
  package func residuals(_ x: Matrix, _ compute: Compute) -> [Float] {
    let within = compute.product(compute.product(x, basis, transposeB: true), basis)
    return (0..<x.rows).map { r in
      var (outside, whole): (Float, Float) = (0, 0)
      for (a, b) in zip(x[row: r], within[row: r]) {
        outside += (a - b) * (a - b)
        whole += a * a
      }
      return whole > 0 ? (outside / whole).squareRoot() : 1
    }
  }
}
