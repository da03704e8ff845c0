import SplitLearning
package import Audit
import Checkpoints
import Diagnostics
import Foundation
import Kernels
import Llama

/// A8, the reference attack: decodes a document left to right; at each position it runs candidate tokens through the client's own blocks
/// after the prefix found so far, and scores each by the likelihood of the observed state under the known noise times the language-model
/// prior.
///
///     score(v) = −‖y_t − F_p(prefix, v)_t‖² / (2σ²) + λ ln q(v | prefix)
///
/// With λ = 1 and the true prior this is the exact maximum a posteriori decision. A wrong prefix moves all later states, so a beam corrects
/// itself, and the prior falls back on the unigram as far as the language model was wrong before (`PriorExperts`). Sources: vocabulary matching (VMA; SipIt, Nikolaou et al. 2025) for clean states; likelihood, prior and beam are ours.
///
/// Under a secret basis it compares what the basis leaves: order statistics of permuted states, invariants of rotated ones until the rotation itself is
/// known (`matchedInSecretRotation`). Under a secret order of the rows it finds token and row together (`SecretOrderDecoder`).
package struct SequentialMatching: Attack {
  /// In which order, and how many, candidates are evaluated.
  enum Candidates: String, CaseIterable {
    /// Every token of the vocabulary, every time.
    case exhaustive
    /// By falling prior probability, until the rest cannot matter.
    case languageModel = "language-model"
    /// By prior times anchor likelihood (`AnchorTable`), until the rest cannot matter.
    case proposals
  }

  /// What is done about weights that may differ from the victim's (K1: fine-tuning unknown to the attacker).
  enum Mismatch: String, CaseIterable { case auto, none, profile, affine, adapters }

  /// What prefixes that may be wrong do to the language model's say.
  enum Trust: String, CaseIterable { case adaptive, full }

  package static let description = MethodDescription(
    name: "sequential-matching",
    summary: "left-to-right vocabulary matching through the client's blocks, noise likelihood × language-model prior, beam",
    paper: "VMA (2024) and SipIt (Nikolaou et al. 2025) for clean states",
    deviations:
      "exact likelihood of Gaussian, Laplace, clipped, quantized and sparsified states, order statistics of permuted ones, rows in a secret order, invariants and Procrustes of rotated ones (the language model alone where these open no document), LM prior mixed with the unigram by their past evidence, beam, candidate proposals, estimated noise and self-training for unknown adapters are added",
    cost:
      "about 10 candidate forwards through p blocks a token on clean states, hundreds under noise; one model forward a token for the prior",
    knowledge: .k1, channels: [.inputHiddenStates],
    settings: [
      "candidates": "proposals (default), language-model or exhaustive",
      "beam": "hypotheses kept per document, default 1",
      "widen":
        "never (default); rehearsed: again with 4 hypotheses where noise leaves doubt, 4 read more of eight public passages, and the first pass tried 150 candidates a token at most",
      "prior_weight": "λ, default 1",
      "prior_trust":
        "adaptive (default): the language model's prior is mixed with the unigram, by how well each explained the states so far; full: as if the prefix were certain",
      "max_candidates": "most candidates evaluated per position, default the whole vocabulary",
      "mismatch":
        "weights that differ from the victim's: none; profile (the noise of a position is at least what its best candidate leaves); affine (a correction is learned from the first pass); adapters (the victim's adapters are recovered first); auto (default): adapters at K1, none above. affine and adapters decode twice, where there are five documents or more",
    ])

  package static let rules: [String: SettingRule] = [
    "candidates": .choice(Candidates.allCases.map(\.rawValue)), "beam": .integer(1...64),
    "widen": .choice(Widening.allCases.map(\.rawValue)), "prior_weight": .number(0...10),
    "max_candidates": .integer(1...(1 << 30)), "prior_trust": .choice(Trust.allCases.map(\.rawValue)),
    "mismatch": .choice(Mismatch.allCases.map(\.rawValue)),
  ]

  let candidates: Candidates
  private(set) var beam: Int
  private let widening: Widening
  let priorWeight: Float
  let maxCandidates: Int
  let mismatch: Mismatch
  let trust: Trust

  package init(_ settings: [String: SettingValue]) throws {
    let reader = SettingReader(settings, of: Self.description.name)
    candidates = try reader.choice("candidates", default: .proposals)
    beam = try reader.integer("beam", default: 1, in: 1...64)
    widening = try reader.choice("widen", default: .never)
    priorWeight = Float(try reader.real("prior_weight", default: 1, in: 0...10))
    trust = try reader.choice("prior_trust", default: .adaptive)
    mismatch = try reader.choice("mismatch", default: .auto)
    maxCandidates = try reader.integer("max_candidates", default: 1 << 30, in: 1...(1 << 30))
  }

  /// Candidates evaluated at least when the weights may be foreign: as long as it is not known how far off the truth lies, and after that.
  let leastAtFirst = 8192
  let leastLater = 64

  /// Documents decoded in step with each other, so that every product has many rows.
  private static let documentsTogether = 32

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    let observation = try view.required(.inputHiddenStates, by: Self.description.name)
    guard observation.values.columns == means.model.configuration.hiddenSize else {
      throw Fault(
        .invalidData, "the states are \(observation.values.columns) wide, the model's \(means.model.configuration.hiddenSize)")
    }
    let started = Date()
    let stack = means.model.stack[0..<view.partition.input]
    let isForeign = mismatch != .none && (mismatch != .auto || means.knowledge < .k2)
    let sigma = NoiseEstimate.sigma(of: view, means)
    var likelihood = CandidateLikelihood(noise: observation.noise, sigma: Float(sigma), profiles: isForeign)
    var observed = observation.values
    if observation.noise.law == .permuted {
      // A secret order leaves the order statistics: sorted coordinates are compared (Thomas et al. 2025 for permuted states).
      (likelihood.feature, observed) = (.sorted, StateFeature.sorted.applyInParts(observed, means.model.compute))
    }
    if observation.noise.order == .secret {
      var (found, forwards) = try matchedInSecretOrder(view, observed, likelihood, stack, means, progress)
      found.cost = AttackCost(seconds: Date().timeIntervalSince(started), candidateForwards: forwards)
      return found
    }
    if observation.noise.law == .rotated {
      var (found, forwards) = try matchedInSecretRotation(view, observed, likelihood, stack, means, progress)
      found.cost = AttackCost(seconds: Date().timeIntervalSince(started), candidateForwards: forwards)
      return found
    }
    // Self-training takes two passes and a fit between them; progress counts all three alike.
    // An order of the channels that is not known cannot be trained through, nor can bins and dropped coordinates.
    let isSmooth = ![.permuted, .quantized, .sparsified].contains(observation.noise.law)
    let adapts = isForeign && mismatch != .profile && isSmooth
    let passes = adapts ? 3.0 : 1.0
    if widening == .rehearsed, beam < Self.wideBeam, !isForeign, observation.noise.law.drawsNoise, sigma > 0 {
      var (found, forwards) = try decodedAsWideAsUseful(view, observed, likelihood, sigma: sigma, stack, means, progress)
      found.cost = AttackCost(seconds: Date().timeIntervalSince(started), candidateForwards: forwards)
      return found
    }
    var (found, forwards) = try decode(view, observed, likelihood, stack, means) { try progress($0 / passes) }
    var notes: [String] = []
    if isForeign, mismatch != .profile, !isSmooth {
      notes.append("nothing was learned of foreign weights: \(observation.noise.law.rawValue) states cannot be trained through")
    }
    if adapts {
      notes.append("nothing was learned of foreign weights: too few texts, or no more is left than the noise explains")
    }
    if adapts,
      let victim = try VictimModel(
        view, observation, found, sigma: sigma, stack: stack, method: mismatch, means, progress: { try progress((1 + $0) / passes) })
    {
      likelihood.correction = victim.correction
      let (second, more) = try decode(view, observation.values, likelihood, victim.stack, means) { try progress((2 + $0) / passes) }
      (found, forwards) = (second, forwards + more)
      let (before, after) = victim.residuals
      notes = ["foreign weights: \(before) of the states' power was unexplained on held-out texts, \(after) after self-training"]
    }
    found.notes += notes
    found.cost = AttackCost(seconds: Date().timeIntervalSince(started), candidateForwards: forwards)
    return found
  }

  enum Widening: String, CaseIterable { case never, rehearsed }

  /// Passages of a rehearsal, the wider beam, the share of tokens in doubt below which it is not worth it, and the candidates a token above which it takes
  /// too long: it tries about six times as many.
  private static let (rehearsed, wideBeam, littleDoubt, mostForwards) = (8, 4, 0.005, 150)

  /// One hypothesis a document; where its posterior leaves doubt, and four read more of public passages that were sent as the private ones were, again with
  /// four.
  private func decodedAsWideAsUseful(
    _ view: AdversaryView, _ observed: Matrix, _ likelihood: CandidateLikelihood, sigma: Double, _ stack: BlockStack,
    _ means: AttackerMeans,
    _ progress: (Double) throws -> Void
  ) throws -> (Reconstruction, forwards: Int) {
    var (found, forwards) = try decode(view, observed, likelihood, stack, means) { try progress(0.3 * $0) }
    let posterior = found.posterior!
    let doubt = (0..<view.tokens).reduce(0.0) { $0 + 1 - exp(Double(posterior.logProbabilities[$1 * posterior.width])) }
    let count = means.auxiliary.count
    guard doubt > Self.littleDoubt * Double(view.tokens), forwards <= Self.mostForwards * view.tokens, count > 0 else {
      return (found, forwards)
    }
    let rehearsal = means.rehearsal(like: view, passages: max(0, count - Self.rehearsed)..<count, sigma: sigma, stream: "beam")
    guard let states = rehearsal.view.observations[.inputHiddenStates]?.values else { return (found, forwards) }
    func wrong(_ matching: SequentialMatching, from start: Double) throws -> Int {
      let (tried, more) = try matching.decode(rehearsal.view, states, likelihood, stack, means) { try progress(start + 0.1 * $0) }
      forwards += more
      return zip(tried.tokens, rehearsal.truth).reduce(0) { $0 + zip($1.0, $1.1).count { $0 != $1 } }
    }
    var wider = self
    wider.beam = Self.wideBeam
    guard try wrong(wider, from: 0.3) < wrong(self, from: 0.4) else { return (found, forwards) }
    let (again, more) = try wider.decode(view, observed, likelihood, stack, means) { try progress(0.5 + 0.5 * $0) }
    return (again, forwards + more)
  }

  /// One pass over all documents, left to right in each.
  /// - Parameters:
  ///   - observed: what was observed of each position, [N, columns] as `likelihood` compares it.
  ///   - stack: the blocks that candidates run through.
  ///   - anchors: in the place of those that `likelihood` has by its law.
  func decode(
    _ view: AdversaryView, _ observed: Matrix, _ likelihood: CandidateLikelihood, _ stack: BlockStack, _ means: AttackerMeans,
    anchors given: CandidateOrder? = nil, _ progress: (Double) throws -> Void
  ) throws -> (Reconstruction, forwards: Int) {
    var found = Reconstruction(tokens: [], posterior: TokenPosterior(width: SequentialDecoder.posteriorWidth))
    var forwards = 0
    let anchors = candidates == .proposals ? given ?? CandidateOrder(stack.blocks.count, likelihood, means) : nil
    for first in stride(from: 0, to: view.documents, by: Self.documentsTogether) {
      let group = first..<min(first + Self.documentsTogether, view.documents)
      var decoder = SequentialDecoder(self, observed, group.map(view.range), likelihood, stack: stack, anchors: anchors, means)
      let rows = group.reduce(0) { $0 + view.range(of: $1).count }
      let documents = try decoder.decode {
        try progress((Double(view.offsets[first]) + $0 * Double(rows)) / Double(max(1, view.tokens)))
      }
      for document in documents {
        found.tokens.append(document.tokens)
        for step in document.posteriors { found.posterior!.append(step, position: 0) }
      }
      forwards += decoder.forwards
    }
    return (found, forwards)
  }
}
