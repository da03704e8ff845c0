import Audit
import Checkpoints
import Foundation
import Kernels
import Llama
import SplitLearning

/// What an attacker with the public weights (K1) learns of the victim's fine-tuned ones from its own first reconstruction: self-training.
///
/// First pass → believed text. `adapters`: low-rank adapters on the attacker's copy of A are fitted so that the believed text gives the observed
/// states, min Σ_t ‖F_θ(x̂)_t − y_t‖² / v_t (v_t: the row's share, so that no row counts for its size alone). `affine`: what is left is put into
/// an `AffineCorrection`, which knows the covariance of the rest and so is kept even where its map lowers nothing. Adapters are kept only if they lower
/// the residual of held-out documents. States are compared after the published clip, through which the fit goes too; a law that rounds or drops
/// coordinates is not fitted through.
struct VictimModel: Sendable {
  let stack: BlockStack
  let correction: AffineCorrection?
  /// Mean squared residual per coordinate over the mean squared state, later positions of held-out documents: before, after.
  let residuals: (before: Double, after: Double)

  private static let rank = 16
  /// Passes over the believed text, or more where that is short.
  private static let epochs = 24
  private static let leastSteps = 300
  /// ln of the least probability of a token that is believed.
  private static let sure = Float(-0.1)
  private static let rowsPerStep = 512

  /// - Parameter progress: called with the share of the fit that is done, 0...1; may throw to stop.
  /// - Returns: nil when nothing was learned, with too little believed text, or when the residual is no larger than the noise explains.
  init?(
    _ view: AdversaryView, _ observation: Observation, _ found: Reconstruction, sigma: Double, stack: BlockStack,
    method: SequentialMatching.Mismatch, _ means: AttackerMeans, progress: (Double) throws -> Void
  ) throws {
    let compute = means.model.compute
    let documents = found.tokens.indices.filter { found.tokens[$0].count > 1 }
    guard documents.count >= 5 else { return nil }
    let held = documents.indices.filter { $0 % 5 == 4 }.map { documents[$0] }
    let trained = documents.indices.filter { $0 % 5 != 4 }.map { documents[$0] }
    let texts = found.tokens
    func rows(_ set: [Int]) -> [Int] { set.flatMap { Array(view.range(of: $0).dropFirst()) } }
    // Only what the first pass is sure of counts: a wrong token's state is no evidence of foreign weights.
    let isSure = (0..<view.tokens).map { row in found.posterior.map { $0.logProbabilities[row * $0.width] > Self.sure } ?? true }
    let observed = observation.values
    let clipping = observation.noise.clipping
    /// The attacker's states of the believed text as they would be sent, first positions left out, [N, C].
    func own(_ stack: BlockStack, _ set: [Int]) -> Matrix {
      let states = means.states(of: set.map { texts[$0] }, through: stack)
      let firsts = Set(set.reduce(into: [0]) { $0.append($0.last! + texts[$1].count) })
      return clipping.deterministic(compute.gather(states, rows: (0..<states.rows).filter { !firsts.contains($0) }[...]), compute)
    }
    let heldRows = rows(held)
    let target = compute.gather(observed, rows: heldRows[...])
    let power = target.values.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(max(1, target.values.count))
    let believed = heldRows.indices.filter { isSure[heldRows[$0]] }
    guard !believed.isEmpty else { return nil }
    func residual(_ stack: BlockStack) -> Double {
      let mine = own(stack, held)
      let squares = compute.squaredDistances(mine, to: target, target: (0..<Int32(mine.rows)).map { $0 })
      return believed.reduce(0.0) { $0 + Double(squares[$1]) } / Double(believed.count * mine.columns)
    }
    let before = residual(stack)
    guard before > 1.2 * (sigma * sigma + 1e-6 * power) else { return nil }

    var learned = stack
    if method != .affine {
      let candidate = try Self.recovered(stack, trained, texts, isSure, view, observed, clipping, means, progress)
      if residual(candidate) < before { learned = candidate }
    }
    let everything = trained + held
    let all = rows(everything)
    let sure = all.indices.filter { isSure[all[$0]] }
    correction = AffineCorrection(
      own: compute.gather(own(learned, everything), rows: sure[...]), observed: compute.gather(observed, rows: sure.map { all[$0] }[...]),
      compute)
    let after = residual(learned)
    guard correction != nil || after < before else { return nil }
    self.stack = learned
    residuals = (before / power, (correction?.after ?? after) / power)
  }

  /// Of the attacker's adapters, away from the small numbers that parties of the plan start from.
  private static func ownSeed(_ means: AttackerMeans) -> UInt64 { means.seed ^ 0x9E37_79B9_7F4A_7C15 }

  /// Adapters on every matrix of every block, fitted by AdamW on the documents `set`.
  private static func recovered(
    _ stack: BlockStack, _ set: [Int], _ texts: [[Int32]], _ isSure: [Bool], _ view: AdversaryView, _ observed: Matrix,
    _ clipping: NoiseStatement, _ means: AttackerMeans, _ progress: (Double) throws -> Void
  ) throws -> BlockStack {
    let compute = means.model.compute
    var trainable = TrainableStack(
      stack, AdapterSettings(targets: AdapterTarget.allCases, rank: rank, alpha: Float(rank)), seed: ownSeed(means))
    var optimizer = AdapterOptimizer(trainable.adapters, rule: AdamW(weightDecay: 0), clip: 1)
    var batches: [[Int]] = []
    var rows = 0
    for document in set {
      if batches.isEmpty || rows + texts[document].count > rowsPerStep { (batches, rows) = (batches + [[]], 0) }
      batches[batches.count - 1].append(document)
      rows += texts[document].count
    }
    let epochs = max(Self.epochs, (leastSteps + batches.count - 1) / batches.count)
    let steps = epochs * batches.count
    let schedule = LearningRateSchedule(peak: 2e-3, warmup: min(10, steps / 10), steps: steps, shape: .cosine)
    var step = 0
    for _ in 0..<epochs {
      for batch in batches {
        let packed = PackedBatch(lengths: batch.map { texts[$0].count })
        let (output, tape) = trainable.forward(means.model.embedding.gather(batch.flatMap { texts[$0] }), packed)
        let rows = batch.flatMap { Array(view.range(of: $0)) }
        let y = compute.gather(observed, rows: rows[...])
        let sent = clipping.deterministic(output, compute)
        var gradient = output
        let first = Set(packed.offsets.dropLast())
        for r in 0..<gradient.rows {
          // d/dF of ‖clip(F) − y‖² / (2 ‖y‖²): rows count alike; first positions, whose states are of another kind,
          // and tokens that are not believed do not count.
          let size = y[row: r].reduce(0) { $0 + $1 * $1 }
          let weight = first.contains(r) || !isSure[rows[r]] ? 0 : 1 / max(size, 1e-12)
          var own = zip(sent[row: r], y[row: r]).map { ($0 - $1) * weight }
          clipping.backThroughClip(&own, state: output[row: r])
          gradient[row: r] = own[...]
        }
        var gradients = trainable.zeroGradients
        _ = trainable.backward(gradient, tape, gradients: &gradients)
        _ = optimizer.update(&trainable.adapters, gradients: gradients, rate: schedule.rate(step))
        step += 1
        try progress(Double(step) / Double(steps))
      }
    }
    return trainable.adapted
  }
}
