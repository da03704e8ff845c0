package import Audit
import Foundation
import Checkpoints
import Kernels
import Llama
import SplitLearning

/// A5: gradient descent on relaxed tokens. X_t = softmax(Z_t/τ) E over a list of candidates; Z moves until the client's blocks turn X into what
/// was observed; the token is argmax Z, or what matching makes of X.
///
///     min_Z Σ_t ½ (F_p(X)_t − y_t)² / (σ_t² + γ s_t v) − λ Σ_t Σ_k softmax(Z_t/τ)_k ln q_k
///
/// Under Gaussian noise and at γ = 0 this is the maximum a posteriori problem, relaxed from tokens to mixtures of tokens.
package struct RelaxedVocabulary: OptimisationAttack {
  enum Start: String, CaseIterable { case anchors, uniform }
  enum Prior: String, CaseIterable {
    case none, unigram
    case languageModel = "language-model"
  }

  package static let description = MethodDescription(
    name: "relaxed-vocabulary", summary: "gradient descent on softmax-relaxed tokens through the client's blocks",
    paper: "EIA, Song & Raghunathan 2020; WhiteBoxInversion of VFLAIR-LLM",
    deviations:
      "candidate lists from anchors in place of the whole vocabulary, a start from their likelihood, residuals in units of each channel's "
      + "variance on public text with a softening that falls to the noise, temperature annealed, "
      + "prior term, stop at the noise floor, repair by the discretisation of free-embedding",
    cost:
      "one forward and one backward pass through p blocks a step; anchors once per cut; two model forwards for the prior; "
      + "with repair about 20 candidate forwards (320 under noise) and one model forward a token",
    knowledge: .k2, channels: [.inputHiddenStates],
    settings: OptimisationSettings.settings.merging([
      "candidates": "K, tokens listed per position, default 256; 0 lists the whole vocabulary",
      "start": "anchors (default): Z from the tempered anchor likelihood; uniform: zero",
      "temperature_start": "τ at first, default 0.5", "temperature_end": "τ at last, default 0.05",
      "prior": "language-model (default): unigram, then the model's given the decode at half and at three quarters; unigram; none",
      "prior_weight": "λ, default 1",
      "repair": "true (default): left-to-right matching as in free-embedding; false: argmax Z, as published",
      "neighbours": "tokens near X tried per position by the repair, default 10",
      "prior_candidates": "tokens from the language model tried by the repair, default 10",
    ]) { $1 })

  package static let rules: [String: SettingRule] = OptimisationSettings.rules.merging(DiscretisationSettings.rules) { $1 }.merging([
    "candidates": .integer(0...1 << 20), "start": .choice(Start.allCases.map(\.rawValue)), "temperature_start": .number(1e-3...100),
    "temperature_end": .number(1e-3...100), "prior": .choice(Prior.allCases.map(\.rawValue)), "prior_weight": .number(0...10),
    "repair": .flag,
  ]) { $1 }

  static let rates: [Float] = [0.05, 0.15]

  let optimisation: OptimisationSettings
  let weightDecay: Float = 0
  private let candidates: Int
  private let start: Start
  private let temperatures: (first: Float, last: Float)
  private let prior: Prior
  private let priorWeight: Float
  private let repair: CalibratedDiscretisation?

  package init(_ settings: [String: SettingValue]) throws {
    let reader = SettingReader(settings, of: Self.description.name)
    optimisation = try OptimisationSettings(reader, settings, iterations: 120)
    candidates = try reader.integer("candidates", default: 256, in: 0...1 << 20)
    start = try reader.choice("start", default: .anchors)
    temperatures = (
      Float(try reader.real("temperature_start", default: 0.5, in: 1e-3...100)),
      Float(try reader.real("temperature_end", default: 0.05, in: 1e-3...100))
    )
    prior = try reader.choice("prior", default: .languageModel)
    priorWeight = Float(try reader.real("prior_weight", default: 1, in: 0...10))
    repair =
      try DiscretisationSettings.flag("repair", settings, of: Self.description.name)
      ? DiscretisationSettings.read(reader) : nil
  }

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    try reconstruct(view, means, repair, vectors: { $0.found(means.model.compute) }, progress: progress)
  }

  private func listed(_ means: AttackerMeans) -> Int {
    let vocabulary = means.model.configuration.vocabularySize
    return candidates == 0 ? vocabulary : min(candidates, vocabulary)
  }

  // Z, its gradient, two moments, weights, costs and ids.
  func width(_ means: AttackerMeans) -> Int { 8 * listed(means) }

  func tokens(_ found: SoftTokens, _ means: AttackerMeans) -> [Int32] { found.tokens }

  var tuningKey: String { "\(candidates)/\(start)/\(temperatures)/\(prior)/\(priorWeight)" }

  func start(_ chunk: InversionChunk, _ means: AttackerMeans) -> SoftTokens {
    let k = listed(means)
    let (ids, scores) = AnchorCandidates.top(k, chunk, means)
    // The anchors' residuals are correlated between channels, so their likelihood is far too sure of itself: a sixteenth of it, and at least e⁻⁶.
    let values = start == .uniform ? scores.map { _ in Float(0) } : scores.map { max(-6, $0 / 16) * temperatures.first }
    let table = EmbeddingNeighbours.of(means).table
    let model = CandidatePrior(means)
    let weight = -priorWeight
    let unigram = model.unigram(ids, count: k).scaled(by: weight)
    let refreshed: @Sendable ([Int32]) -> Matrix = { tokens in
      model.languageModel(tokens, chunk.batch, ids, count: k).scaled(by: weight)
    }
    return SoftTokens(
      values: values, candidates: ids, count: k, temperatures: temperatures, table: table, width: means.model.configuration.hiddenSize,
      cost: prior == .none ? nil : unigram, refreshes: [0.5, 0.75], prior: prior == .languageModel ? refreshed : nil)
  }
}

/// The tokens whose anchors explain an observation best: a list per position that almost always holds the truth.
enum AnchorCandidates {
  /// The `count` most likely tokens of every row under anchors and unigram prior, [N · count] flat, most likely first, and how many nats each
  /// falls behind the first.
  static func top(_ count: Int, _ chunk: InversionChunk, _ means: AttackerMeans) -> (ids: [Int32], scores: [Float]) {
    let compute = means.model.compute
    let table = AnchorTable.at(chunk.inputBlocks, means, noise: chunk.noise)
    let prior = Unigram.of(means).logProbabilities
    let later = table.scorer(isFirst: false, sigma: chunk.sigma, compute)
    let firsts = Set(chunk.batch.offsets.dropLast())
    var (ids, scores) = ([Int32](), [Float]())
    for first in stride(from: 0, to: chunk.observed.rows, by: ScoreTable.batch) {
      let rows = first..<min(first + ScoreTable.batch, chunk.observed.rows)
      let y = chunk.observed.slice(rows)
      var likelihoods = table.logLikelihoods(y, isFirst: rows.map(firsts.contains), later: later, sigma: chunk.sigma, compute)
      compute.addBias(&likelihoods, prior)
      for row in 0..<likelihoods.rows {
        let values = Array(likelihoods[row: row])
        let best = largest(count, of: values)
        ids += best
        scores += best.map { values[Int($0)] - values[Int(best[0])] }
      }
    }
    return (ids, scores)
  }
}
