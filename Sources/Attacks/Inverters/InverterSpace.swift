import Audit
import Checkpoints
import Foundation
import Kernels
import Llama

/// The coordinates in which an inverter works, and the token codebook in them.
///
/// A state of token v is a_v plus a residual of its context plus noise. With S the covariance of residual and noise, S = L Lᵀ, the state is
/// read as x = L⁻¹ (y − mean residual) and the token as ã_v = L⁻¹ a_v. There the residual has unit variance in every direction, and
/// x · ã_v − ½ ‖ã_v‖² is linear discriminant analysis: where training begins, and well conditioned for it.
struct InverterSpace: Sendable {
  /// [C], activation units.
  var offset: [Float]
  /// L⁻¹ [C, C].
  var whitening: Matrix
  /// ã [V, C].
  let codebook: Matrix
  /// States of all tokens in first position, after the defense's clip or rounding, [V, C].
  let first: Matrix

  /// x [B, C] of states y [B, C].
  func read(_ y: Matrix, _ compute: Compute) -> Matrix {
    var centred = y
    compute.addBias(&centred, offset.map { -$0 })
    return compute.linear(centred, whitening.values, outputs: whitening.rows)
  }

  /// ln p(token) [V] of one state in first position, up to a constant. There the state is a function of the token alone, so nothing need be
  /// learned: the Gaussian likelihood with an unknown deviation integrated out (Jeffreys' prior), −½ C ln ‖y − a_v‖².
  func firstLogLikelihoods(_ y: Matrix, _ compute: Compute) -> [Float] {
    let distances = compute.squaredDistances(first, to: y, target: [Int32](repeating: 0, count: first.rows))
    let floor = 1e-9 * y.values.reduce(Float(0)) { $0 + $1 * $1 } + 1e-12
    return distances.map { -Float(y.columns) / 2 * log($0 + floor) }
  }
}

extension InverterSpace {
  /// Ridge on the residual covariance, as a share of its mean diagonal.
  private static let ridge = 1e-3
  /// Passages that the residual is measured on, as they are and with tokens replaced.
  private static let passages = 96

  /// The space for `data`, at noise of deviation `sigma`. Makes the anchors of the cut (once per run) and reads about 200 passages.
  init(_ data: InverterData, sigma: Double, _ means: AttackerMeans) {
    let compute = means.model.compute
    let codebooks = InverterSpace.codebooks(data, means)
    let examples = data.residualExamples(passages: Self.passages)
    var covariance = Covariance(codebooks.later.columns)
    for start in stride(from: 0, to: examples.labels.count, by: 2048) {
      let rows = start..<min(start + 2048, examples.labels.count)
      var residual = examples.states.slice(rows)
      for (i, row) in rows.enumerated() {
        let token = Int(examples.labels[row])
        for c in 0..<residual.columns { residual.values[i * residual.columns + c] -= codebooks.later[token, c] }
      }
      covariance.add(residual, compute)
    }
    self.init(codebooks, covariance, sigma: sigma, compute)
  }

  private init(_ codebooks: (first: Matrix, later: Matrix), _ covariance: Covariance, sigma: Double, _ compute: Compute) {
    let n = codebooks.later.columns
    // States that are not finite leave nothing to whiten by.
    let factor =
      Cholesky(covariance: covariance.matrix(ridge: Self.ridge), plus: sigma * sigma, order: n)
      ?? Cholesky((0..<n * n).map { $0 % (n + 1) == 0 ? 1 : 0 }, order: n)
    let inverse = factor!.inverseLower.map { Float($0) }
    self.init(
      offset: covariance.mean.map { Float($0) }, whitening: Matrix(rows: n, columns: n, values: inverse),
      codebook: compute.linear(codebooks.later, inverse, outputs: n), first: codebooks.first)
  }

  /// The same space with another whitening, as it was stored.
  init(stored offset: [Float], whitening: Matrix, _ data: InverterData, _ means: AttackerMeans) {
    let codebooks = InverterSpace.codebooks(data, means)
    self.init(
      offset: offset, whitening: whitening,
      codebook: means.model.compute.linear(codebooks.later, whitening.values, outputs: whitening.rows), first: codebooks.first)
  }

  /// Where tokens land at the cut, after the defense's clip or rounding and, for pooled states, diluted by the document's length.
  private static func codebooks(_ data: InverterData, _ means: AttackerMeans) -> (first: Matrix, later: Matrix) {
    let (task, compute) = (data.task, means.model.compute)
    // Of a clip, the anchors of a cache know nothing: that is left to the residual.
    let anchors =
      task.cache.map { AnchorTable.at($0.block, means, feature: $0.feature(means), noise: .none) }
      ?? AnchorTable.at(task.inputBlocks, means)
    var (first, later) = (anchors.first, anchors.later)
    if task.cache == nil { (first, later) = (task.noise.deterministic(first, compute), task.noise.deterministic(later, compute)) }
    if task.isShuffled {
      let order = data.tokenShuffle
      (first, later) = (compute.gather(first, rows: order[...]), compute.gather(later, rows: order[...]))
    }
    if task.pooling != .none {
      let share = 1 / data.meanLength
      later.values = later.values.map { $0 * share }
    }
    return (first, later)
  }
}
