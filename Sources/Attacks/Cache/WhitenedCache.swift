import Audit
import Foundation
import Kernels
import Llama
import SplitLearning

/// The exact likelihood of what the first server block makes of a state under Gaussian noise. With W the stacked projections and g the norm's weight,
/// f = W (g ⊙ (h + ε)) / r, r the RMS of h + ε, so with L Lᵀ = W G² Wᵀ
///
///     L⁻¹ f = (L⁻¹ W G h + σ z) / r,    z standard normal,
///
/// a Gaussian around a linear function of h up to the row's factor r, which `CandidateLikelihood.isScaleFree` profiles. Where there are at least as
/// many projections as channels (queries too), W G is undone instead and the state itself comes back up to r. Ours.
struct WhitenedCache: Sendable {
  /// [N, F'], rows scaled to the length that states of public text would give under this noise.
  let observed: Matrix
  let feature: StateFeature
  /// Rows of public text as `feature` has them, and as they would be observed; first positions.
  private let rehearsal: (own: Matrix, observed: Matrix, firsts: Set<Int>)

  /// `likelihood` with the limits that public text keeps under this noise.
  func rehearsed(_ likelihood: CandidateLikelihood, _ compute: Compute) -> CandidateLikelihood {
    likelihood.rehearsed(rehearsal.own, rehearsal.observed, firsts: rehearsal.firsts, compute)
  }

  /// Public passages that are run, at most.
  private static let passages = 192

  /// - Returns: nil when the projections are singular, or there is no public text.
  init?(_ seen: CachedTensors, _ view: AdversaryView, sigma: Double, _ means: AttackerMeans) {
    let (compute, block) = (means.model.compute, means.model.stack.blocks[seen.block])
    var projections = seen.projections(means)
    for r in 0..<projections.rows { for c in 0..<projections.columns { projections[r, c] *= block.attentionNorm[c] } }
    let noise = view.inputNoise
    let map: Matrix
    var whitened = seen.unbiased(means)
    if projections.rows >= projections.columns {
      guard let solver = LeastSquares(projections, compute) else { return nil }
      whitened = solver.solve(whitened, compute)
      map = Matrix(
        rows: projections.columns, columns: projections.columns,
        values: (0..<projections.columns * projections.columns).map { $0 % (projections.columns + 1) == 0 ? 1 : 0 })
    } else {
      let order = projections.rows
      var gram = compute.product(projections, projections, transposeB: true).values.map(Double.init)
      let mean = (0..<order).reduce(0.0) { $0 + gram[$1 * order + $1] } / Double(order)
      for i in 0..<order { gram[i * order + i] += 1e-7 * mean }
      guard let factor = Cholesky(gram, order: order) else { return nil }
      let whitener = Matrix(rows: order, columns: order, values: factor.inverseLower.map(Float.init))
      whitened = compute.product(whitened, whitener, transposeB: true)
      map = compute.product(whitener, projections)
    }
    feature = StateFeature(name: "whitened \(seen.feature.name) clip \(noise.clip.map { "\($0)" } ?? "none") \(noise.law.rawValue)") {
      states, compute in
      compute.product(noise.clipping.deterministic(states, compute), map, transposeB: true)
    }
    // The usual length of a row, first and later, from public text.
    let texts = means.auxiliary.prefix(Self.passages).filter { !$0.isEmpty }
    guard !texts.isEmpty else { return nil }
    let own = feature.apply(means.states(of: texts, inputBlocks: view.partition.input), compute)
    func square(_ m: Matrix, _ r: Int) -> Double { m[row: r].reduce(0.0) { $0 + Double($1) * Double($1) } }
    let firsts = Set(PackedBatch(lengths: texts.map(\.count)).offsets.dropLast())
    func usual(_ rows: [Int]) -> Double { rows.reduce(0.0) { $0 + square(own, $1) } / Double(max(1, rows.count)) }
    let energy = sigma * sigma * Double(own.columns)
    let (first, later) = (usual(firsts.sorted()) + energy, usual((0..<own.rows).filter { !firsts.contains($0) }) + energy)
    /// Rows at the usual length. One of zeros has no direction and tells nothing.
    func scaled(_ rows: Matrix, _ starts: Set<Int>) -> Matrix {
      var out = rows
      for r in 0..<out.rows {
        let own = square(out, r)
        guard own > 0 else { continue }
        let scale = Float(((starts.contains(r) ? first : later) / own).squareRoot())
        for c in 0..<out.columns { out[r, c] *= scale }
      }
      return out
    }
    observed = scaled(whitened, Set(view.offsets.dropLast()))
    var noisy = own
    let random = CounterRandom(seed: means.trainingSeed, stream: "cache/whitened")
    for r in 0..<noisy.rows {
      for (c, z) in random.normals(item: UInt64(r), count: noisy.columns).enumerated() { noisy[r, c] += Float(sigma * z) }
    }
    rehearsal = (own, scaled(noisy, firsts), firsts)
  }
}
