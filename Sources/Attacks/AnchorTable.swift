package import Audit
import Foundation
import Checkpoints
package import Kernels
import Llama
import SplitLearning

/// Where each token of the vocabulary lands at a cut, on average: a cheap likelihood of every token at once.
///
/// Two codebooks. `first`: every token alone, which is exact for the first position of a document. `later`: every token after a public
/// context; the residual of real text around it (`bias`, `variance` per channel, `covariance`) is measured on auxiliary text, so the likelihood knows
/// how wrong it is. After Luo et al. ("calibrated anchors"), with a Gaussian residual model in place of their distance.
package struct AnchorTable: Sendable {
  /// [V, C] each.
  let first: Matrix
  let later: Matrix
  /// [C] each, from auxiliary text.
  let bias: [Float]
  let variance: [Float]
  /// [C · C], with a small ridge.
  let covariance: [Double]
  /// Passages of auxiliary text that the residual is measured on, at most, and its ridge as a share of the mean variance.
  private static let passages = 192
  private static let ridge = 1e-3

  /// The tables for the cut after `inputBlocks` blocks, made once per run: 2·V forwards of one token.
  /// - Parameter feature: what of the states is observed; the tables are then [V, feature].
  package static func at(_ inputBlocks: Int, _ means: AttackerMeans) -> AnchorTable { at(inputBlocks, means, noise: .none) }

  /// The same of what a defense leaves of the states: of their clipped, rounded or sparsified selves.
  static func at(_ inputBlocks: Int, _ means: AttackerMeans, feature: StateFeature? = nil, noise: NoiseStatement) -> AnchorTable {
    let law = "clip \(noise.clip.map { "\($0) \(noise.clippedNorm.rawValue)" } ?? "none") step \(noise.step ?? 0) kept \(noise.kept ?? 0)"
    return means.memory.table("anchors/\(inputBlocks)/\(feature?.name ?? "")/\(law)") {
      let (stack, compute) = (means.model.stack[0..<inputBlocks], means.model.compute)
      func observed(_ states: Matrix) -> Matrix {
        let sent = noise.deterministic(states, compute)
        return feature?.applyInParts(sent, compute) ?? sent
      }
      let context = Array((means.auxiliary.max { $0.count < $1.count } ?? []).prefix(16))
      var caches = [stack.emptyCache()]
      if !context.isEmpty {
        _ = stack.forward(means.model.embedding.gather(context), PackedBatch(lengths: [context.count]), caches: &caches)
      }
      let first = observed(Codebook.states(means.model, stack, after: stack.emptyCache()))
      let later = context.isEmpty ? first : observed(Codebook.states(means.model, stack, after: caches[0]))
      return measured(first: first, later: later, means, stack, observed)
    }
  }

  /// What `feature` leaves of a table of plain states. Not kept in memory: a feature that hangs on a victim's secret serves one view.
  func seen(through feature: StateFeature, inputBlocks: Int, _ means: AttackerMeans) -> AnchorTable {
    let compute = means.model.compute
    return Self.measured(
      first: feature.applyInParts(first, compute), later: feature.applyInParts(later, compute), means, means.model.stack[0..<inputBlocks]
    ) { feature.applyInParts($0, compute) }
  }

  /// With the residual of auxiliary text around `later`, or the identity where there is none.
  private static func measured(
    first: Matrix, later: Matrix, _ means: AttackerMeans, _ stack: BlockStack, _ observed: (Matrix) -> Matrix
  ) -> AnchorTable {
    let residual = residuals(means, stack, later, observed)
    let c = later.columns
    guard residual.count > 0 else {
      let identity = (0..<c * c).map { $0 % (c + 1) == 0 ? 1.0 : 0 }
      return AnchorTable(
        first: first, later: later, bias: .init(repeating: 0, count: c), variance: .init(repeating: 1, count: c), covariance: identity)
    }
    let plain = residual.matrix(ridge: 0)
    return AnchorTable(
      first: first, later: later, bias: residual.mean.map { Float($0) }, variance: (0..<c).map { max(1e-8, Float(plain[$0 * c + $0])) },
      covariance: residual.matrix(ridge: ridge))
  }

  /// Of h − anchor over the later positions of auxiliary text.
  private static func residuals(_ means: AttackerMeans, _ stack: BlockStack, _ anchors: Matrix, _ observed: (Matrix) -> Matrix)
    -> Covariance
  {
    var out = Covariance(anchors.columns)
    let passages = means.auxiliary.prefix(passages).filter { $0.count > 1 }
    for start in stride(from: 0, to: passages.count, by: 16) {
      let group = passages[start..<min(start + 16, passages.count)]
      let tokens = group.flatMap { $0 }
      var h = observed(means.states(of: Array(group), through: stack))
      for r in 0..<h.rows { for c in 0..<h.columns { h[r, c] -= anchors[Int(tokens[r]), c] } }
      let firsts = Set(PackedBatch(lengths: group.map(\.count)).offsets)
      out.add(means.model.compute.gather(h, rows: (0..<h.rows).filter { !firsts.contains($0) }[...]), means.model.compute)
    }
    return out
  }

  /// A scorer for observations under noise of standard deviation `sigma`.
  /// - Parameters:
  ///   - isFirst: for first positions of documents, where the codebook is exact and `sigma` must not be 0.
  package func scorer(isFirst: Bool, sigma: Double, _ compute: Compute) -> AnchorScorer {
    let table = isFirst ? first : later
    let precision = isFirst ? variance.map { _ in 1 / Float(sigma * sigma) } : variance.map { 1 / ($0 + Float(sigma * sigma)) }
    let half = [Float].filled(table.rows) { out in
      compute.parallel(over: table.rows, grain: 512) { rows in
        for t in rows {
          var total: Float = 0
          for (w, a) in zip(precision, table[row: t]) { total += w * a * a }
          out[t] = -total / 2
        }
      }
    }
    return AnchorScorer(table: table, bias: isFirst ? bias.map { _ in 0 } : bias, transform: .scaling(precision), half: half)
  }

  /// ln p(y | token) of every token [rows, V], up to a constant of the row: of later positions by `later`, of first ones by the exact codebook, with
  /// at least a thousandth of the row's RMS for storage and rounding.
  func logLikelihoods(_ y: Matrix, isFirst: [Bool], later: AnchorScorer, sigma: Double, _ compute: Compute) -> Matrix {
    var out = later.logLikelihoods(y, compute)
    for row in 0..<y.rows where isFirst[row] {
      let own = y.slice(row..<row + 1)
      let rms = Double((own.values.reduce(0) { $0 + $1 * $1 } / Float(own.columns)).squareRoot())
      let scorer = scorer(isFirst: true, sigma: max(sigma, rms * 1e-3, 1e-9), compute)
      out[row: row] = scorer.logLikelihoods(own, compute).values[...]
    }
    return out
  }

  /// A scorer for later positions that knows how the channels' residuals go together: linear discriminant analysis, where the codebook and the
  /// observation are whitened by the covariance of residual and noise.
  ///
  /// The residuals are not normal, so the scores are too sure of themselves; a temperature that explains public passages best that the covariance does
  /// not know (where there are more than it takes), under noise drawn anew, mends that. Where the covariance has no factor, the scorer that knows the
  /// variances alone.
  /// - Parameter noise: what the table was made for; its σ is `sigma`.
  package func whitenedScorer(
    sigma: Double, inputBlocks: Int, feature: StateFeature?, noise: NoiseStatement = .none, _ means: AttackerMeans
  ) -> AnchorScorer {
    let compute = means.model.compute
    guard var scorer = discriminant(sigma: sigma, compute) else { return scorer(isFirst: false, sigma: sigma, compute) }
    let passages = Array(means.auxiliary.suffix(8).filter { $0.count > 1 })
    guard !passages.isEmpty else { return scorer }
    let states = means.states(of: passages, inputBlocks: inputBlocks)
    let sent = noise.deterministic(states, compute)
    var y = feature?.applyInParts(sent, compute) ?? sent
    let random = CounterRandom(seed: means.trainingSeed, stream: "anchors/temperature")
    for r in 0..<y.rows where sigma > 0 {
      for (c, z) in random.normals(item: UInt64(r), count: later.columns).enumerated() { y[r, c] += Float(sigma * z) }
    }
    let (tokens, firsts) = (passages.flatMap { $0 }, Set(PackedBatch(lengths: passages.map(\.count)).offsets))
    let rows = Array((0..<y.rows).filter { !firsts.contains($0) }.prefix(ScoreTable.batch))
    let likelihoods = scorer.logLikelihoods(compute.gather(y, rows: rows[...]), compute)
    let prior = Unigram.of(means).logProbabilities
    func nats(_ temperature: Float) -> Double {
      var scores = likelihoods
      compute.scaleScores(&scores, by: 1 / temperature)
      compute.addBias(&scores, prior)
      return zip(compute.logSumExp(scores), rows).enumerated().reduce(0.0) { total, item in
        total + Double(item.element.0 - scores[item.offset, Int(tokens[item.element.1])])
      }
    }
    scorer.temperature = [1, 1.4, 2, 2.8, 4, 5.6, 8].map { ($0, nats($0)) }.min { $0.1 < $1.1 }!.0
    return scorer
  }
}

extension AnchorTable {
  /// Linear discriminant analysis at temperature 1; nil where the covariance has no factor.
  func discriminant(sigma: Double, _ compute: Compute) -> AnchorScorer? {
    let n = later.columns
    guard let factor = Cholesky(covariance: covariance, plus: sigma * sigma, order: n) else { return nil }
    let whitening = Matrix(rows: n, columns: n, values: factor.inverseLower.map { Float($0) })
    let table = compute.linear(later, whitening.values, outputs: n)
    let half = (0..<table.rows).map { r in -table[row: r].reduce(0) { $0 + $1 * $1 } / 2 }
    return AnchorScorer(table: table, bias: bias, transform: .whitening(whitening), half: half)
  }

  /// The coordinates of plain states along the rows of `directions` [r, C], with their share of the residual.
  func projected(on directions: Matrix, _ compute: Compute) -> AnchorTable {
    let c = directions.columns
    let full = Matrix(rows: c, columns: c, values: covariance.map { Float($0) })
    let share = compute.product(compute.product(directions, full), directions, transposeB: true)
    let offset = compute.product(Matrix(rows: 1, columns: c, values: bias), directions, transposeB: true)
    return AnchorTable(
      first: Matrix(rows: 0, columns: directions.rows), later: compute.product(later, directions, transposeB: true), bias: offset.values,
      variance: (0..<directions.rows).map { max(1e-8, share[$0, $0]) }, covariance: share.values.map(Double.init))
  }
}

/// ln p(y | token) of every token under one noise level, up to a constant of the row: −½ (y − b − a)ᵀ P (y − b − a) with P diagonal,
/// Σ w (y − b) a − ½ Σ w a², or P = L⁻ᵀ L⁻¹ with the table whitened beforehand, x · ã − ½ ‖ã‖².
package struct AnchorScorer: Sendable {
  fileprivate enum Transform: Sendable {
    /// w [C].
    case scaling([Float])
    /// L⁻¹ [C, C].
    case whitening(Matrix)
  }

  fileprivate let table: Matrix
  fileprivate let bias: [Float]
  fileprivate let transform: Transform
  fileprivate let half: [Float]
  /// Divides the scores.
  fileprivate(set) var temperature: Float = 1

  fileprivate init(table: Matrix, bias: [Float], transform: Transform, half: [Float]) {
    (self.table, self.bias, self.transform, self.half) = (table, bias, transform, half)
  }

  /// Up to a constant per row, [rows, V]. `y` [rows, C].
  package func logLikelihoods(_ y: Matrix, _ compute: Compute) -> Matrix {
    var x = y
    compute.addBias(&x, bias.map { -$0 })
    switch transform {
    case .scaling(let precision):
      for r in 0..<x.rows { for i in 0..<x.columns { x.values[r * x.columns + i] *= precision[i] } }
    case .whitening(let whitening): x = compute.linear(x, whitening.values, outputs: whitening.rows)
    }
    var scores = compute.linear(x, table.values, outputs: table.rows)
    compute.addBias(&scores, half)
    if temperature != 1 { compute.scaleScores(&scores, by: 1 / temperature) }
    return scores
  }
}

extension AnchorTable {
  /// The `count` tokens whose anchors lie nearest to that of `token` (itself among them), nearest first.
  package func nearest(to token: Int32, count: Int, isFirst: Bool, _ compute: Compute) -> [Int32] {
    let table = isFirst ? first : later
    let own = table.slice(Int(token)..<Int(token) + 1)
    let distances = compute.squaredDistances(table, to: own, target: [Int32](repeating: 0, count: table.rows))
    return largest(count, of: distances.map { -$0 })
  }
}

/// The state of every token of the vocabulary as the next token of one prefix.
enum Codebook {
  /// Rows per batch: large enough for the products, small enough for the cache.
  static let batch = 2048

  /// [V, C].
  static func states(_ model: LlamaModel, _ stack: BlockStack, after prefix: SequenceCache) -> Matrix {
    var values: [Float] = []
    values.reserveCapacity(model.configuration.vocabularySize * model.configuration.hiddenSize)
    for start in stride(from: 0, to: model.configuration.vocabularySize, by: batch) {
      let ids = (start..<min(start + batch, model.configuration.vocabularySize)).map(Int32.init)
      values += stack.candidates(model.embedding.gather(ids), prefixOf: ids.map { _ in 0 }, caches: [prefix]).values
    }
    return Matrix(rows: model.configuration.vocabularySize, columns: model.configuration.hiddenSize, values: values)
  }
}
