package import Audit
import Diagnostics
import Foundation
package import Kernels
import Llama

/// A10: algebraic inversion of a cache: the rotation is undone, the normalised state is solved for by least squares through the stacked projections
/// (minimum norm where they have fewer rows than the state has channels, as under grouped-query attention), and the token is matched by the cosine
/// between solution and candidate. The scale of a state is lost in the norm, so directions are compared.
///
/// Candidates pass the client's blocks after the prefix decoded so far, as in sequential matching; at block 0 they are the embeddings and this is
/// KV-Cloak's Inversion.
package struct CacheInversion: Attack {
  package static let description = MethodDescription(
    name: "cache-inversion", summary: "solves a cache's keys and values for the normalised state, then matches tokens by cosine",
    paper: "KV-Cloak: Inversion (Luo et al. 2025)",
    deviations:
      "any block, not only the first of a model: candidates' states come from the blocks before it; candidates in proposal order; grouped-query attention by minimum norm",
    cost: "one factorisation of the projections, then as cache-collision", knowledge: .k1, channels: [.keys, .values], family: .algebraic,
    settings: CacheSettings.texts)

  package static let rules = CacheSettings.rules

  private let cache: CacheSettings

  package var reads: [Channel] { cache.tensors.channels }

  package init(_ settings: [String: SettingValue]) throws { cache = try CacheSettings(settings, of: Self.description.name) }

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    let started = Date()
    let compute = means.model.compute
    try view.requireKnownNoise(by: Self.description.name)
    let seen = try CachedTensors(view, cache.tensors, place: cache.place, means, by: Self.description.name)
    guard let solver = LeastSquares(seen.projections(means), compute) else {
      throw Fault(.invalidData, "\(Self.description.name): the projections of block \(seen.block) are singular")
    }
    let block = means.model.stack.blocks[seen.block]
    let projections = seen.projections(means)
    let feature = StateFeature(name: "inverted " + seen.feature.name) { states, compute in
      let normed = compute.rmsNorm(states, weight: block.attentionNorm, epsilon: block.epsilon)
      return unitRows(solver.solve(compute.product(normed, projections, transposeB: true), compute))
    }
    let rehearsal = CacheRehearsal(view, block: seen.block, feature, corrects: false, means)
    var likelihood = CandidateLikelihood(noise: .none, sigma: Float(rehearsal.laterSigma))
    likelihood.feature = feature
    likelihood.firstSigma = Float(rehearsal.firstSigma)
    likelihood = rehearsal.rehearsed(likelihood, compute)
    let solved = unitRows(solver.solve(seen.unbiased(means), compute))
    let prepared = Date().timeIntervalSince(started)
    var found = try cache.decode(view, seen, solved, likelihood, means, progress)
    found.cost.seconds += prepared
    return found
  }
}

/// Least squares through fixed projections W [F, C]: n = W⁺ f, by the smaller of the two Gram matrices, ridge 1e-8 of its mean diagonal.
package struct LeastSquares: Sendable {
  /// (W⁺)ᵀ [F, C], so that solutions are f (W⁺)ᵀ.
  private let inverse: Matrix

  package init?(_ w: Matrix, _ compute: Compute) {
    let isWide = w.rows <= w.columns
    let order = isWide ? w.rows : w.columns
    var gram = compute.product(w, w, transposeA: !isWide, transposeB: isWide).values.map(Double.init)
    let mean = (0..<order).reduce(0.0) { $0 + gram[$1 * order + $1] } / Double(max(1, order))
    for i in 0..<order { gram[i * order + i] += 1e-8 * mean + 1e-30 }
    guard let factor = Cholesky(gram, order: order) else { return nil }
    if isWide {
      // W⁺ᵀ = (W Wᵀ)⁻¹ W.
      inverse = Matrix(
        rows: w.rows, columns: w.columns, values: factor.solve(w.values.map(Double.init), columns: w.columns).map(Float.init))
    } else {
      // W⁺ = (Wᵀ W)⁻¹ Wᵀ, so W⁺ᵀ = W (Wᵀ W)⁻¹.
      let identity = (0..<order * order).map { $0 % (order + 1) == 0 ? 1.0 : 0 }
      let inner = Matrix(rows: order, columns: order, values: factor.solve(identity, columns: order).map(Float.init))
      inverse = compute.product(w, inner)
    }
  }

  /// n [B, C] of f [B, F].
  package func solve(_ f: Matrix, _ compute: Compute) -> Matrix { compute.product(f, inverse) }
}

/// Every row at length 1.
func unitRows(_ x: Matrix) -> Matrix {
  var out = x
  for r in 0..<x.rows {
    let scale = 1 / max(x[row: r].reduce(0) { $0 + $1 * $1 }.squareRoot(), 1e-20)
    for c in 0..<x.columns { out.values[r * x.columns + c] *= scale }
  }
  return out
}
