import Audit
import Kernels

/// What foreign weights do to states, as far as an affine map says it: y ≈ m + (m − μ) D + b for the victim's state y and the attacker's m of the
/// same text, with residual covariance Σ. Fitted by ridge regression on text that the attack itself has decoded (self-training); the ridge is
/// chosen on held-out rows. States are compared after whitening by Σ.
struct AffineCorrection: Sendable {
  /// [C, C] W = L⁻¹ (I + Dᵀ), and [C] so that applied(m) = W m + offset; L⁻¹ alone whitens observations.
  private let map: [Float]
  private let offset: [Float]
  private let whitener: [Float]
  private let width: Int

  /// Mean squared residual per coordinate on held-out rows, before and after the correction.
  let before: Double
  let after: Double

  /// W m + offset for candidates' states m [B, C].
  func applied(_ states: Matrix, _ compute: Compute) -> Matrix {
    var out = compute.linear(states, map, outputs: width)
    compute.addBias(&out, offset)
    return out
  }

  /// L⁻¹ y for observed rows [N, C].
  func whitened(_ observed: Matrix, _ compute: Compute) -> Matrix { compute.linear(observed, whitener, outputs: width) }

  /// Ridges tried, relative to the mean variance of a channel.
  private static let ridges = [1e-3, 1e-2, 1e-1, 1, 10]

  /// - Parameters:
  ///   - own: m [N, C], the attacker's states of what it believes the text is.
  ///   - observed: y [N, C].
  /// - Returns: nil with fewer than 64 rows, or when the covariance is singular.
  init?(own: Matrix, observed: Matrix, _ compute: Compute) {
    let (n, c) = (own.rows, own.columns)
    guard n >= 64 else { return nil }
    var residual = observed
    for i in residual.values.indices { residual.values[i] -= own.values[i] }
    // Every fifth row is held out for the choice of the ridge and for Σ.
    let held = (0..<n).filter { $0 % 5 == 4 }
    let fitted = (0..<n).filter { $0 % 5 != 4 }
    let (x, r) = (compute.gather(own, rows: fitted[...]), compute.gather(residual, rows: fitted[...]))
    let (mean, bias) = (columnMeans(x), columnMeans(r))
    let (xc, rc) = (x.minus(mean, compute), r.minus(bias, compute))
    let gram = compute.product(xc, xc, transposeA: true).values.map(Double.init)
    let cross = compute.product(xc, rc, transposeA: true).values.map(Double.init)
    let power = (0..<c).reduce(0.0) { $0 + gram[$1 * c + $1] } / Double(c)
    let xh = compute.gather(own, rows: held[...]).minus(mean, compute)
    let rh = compute.gather(residual, rows: held[...]).minus(bias, compute)

    var best: (error: Double, d: [Float], residual: Matrix) = (rh.meanSquare, [Float](repeating: 0, count: c * c), rh)
    for ridge in Self.ridges {
      var regularised = gram
      for i in 0..<c { regularised[i * c + i] += ridge * power }
      guard let factor = Cholesky(regularised, order: c) else { continue }
      let d = factor.solve(cross, columns: c).map(Float.init)
      var left = compute.product(xh, Matrix(rows: c, columns: c, values: d), alpha: -1)
      compute.add(&left, rh)
      if left.meanSquare < best.error { best = (left.meanSquare, d, left) }
    }
    (before, after) = (compute.gather(residual, rows: held[...]).meanSquare, best.error)

    // Σ, shrunk towards its diagonal the more, the fewer rows there are.
    var sigma = compute.product(best.residual, best.residual, transposeA: true, alpha: 1 / Float(held.count)).values.map(Double.init)
    let shrink = min(1, Double(c) / Double(held.count))
    let trace = (0..<c).reduce(0.0) { $0 + sigma[$1 * c + $1] } / Double(c)
    for i in 0..<c {
      for j in 0..<c where i != j { sigma[i * c + j] *= 1 - shrink }
      sigma[i * c + i] += 1e-3 * trace + 1e-12
    }
    guard let factor = Cholesky(sigma, order: c) else { return nil }
    let inverse = factor.inverseLower.map(Float.init)
    // Rows of `map` are outputs: W[i, :] = Σ_k L⁻¹[i, k] (I + Dᵀ)[k, :].
    var shifted = Matrix(rows: c, columns: c)
    for k in 0..<c { for j in 0..<c { shifted[k, j] = best.d[j * c + k] + (j == k ? 1 : 0) } }
    let whitening = Matrix(rows: c, columns: c, values: inverse)
    map = compute.product(whitening, shifted).values
    whitener = inverse
    width = c
    // L⁻¹ (b − Dᵀ μ)
    let constant = (0..<c).map { k in bias[k] - (0..<c).reduce(Float(0)) { $0 + best.d[$1 * c + k] * mean[$1] } }
    offset = compute.linear(Matrix(rows: 1, columns: c, values: constant), inverse, outputs: c).values
  }
}

extension Matrix {
  /// Every row less `mean` [C].
  fileprivate func minus(_ mean: [Float], _ compute: Compute) -> Matrix {
    var out = self
    compute.addBias(&out, mean.map { -$0 })
    return out
  }

  fileprivate var meanSquare: Double { values.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(max(1, values.count)) }
}
