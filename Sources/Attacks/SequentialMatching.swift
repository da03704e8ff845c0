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
    /// The same, with the evidence of the learned linear inverter (A2) in the place of the anchors' until candidates were tried.
    case inverter

    /// Whether anchors are asked.
    var isAnchored: Bool { self == .proposals || self == .inverter }
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
      "candidates":
        "in which order: proposals (default), of anchors and language model; inverter, of the linear learned-inverter in the anchors' place, trained where it is not stored, where the weights are known and states are compared as they are; language-model; exhaustive, all of them",
      "beam": "hypotheses kept per document, default 1",
      "tune":
        "never (default); rehearsed: where noise leaves doubt and the first pass tried 150 candidates a token at most, again with the λ that explains eight public passages best, and with 4 hypotheses if these read more of them",
      "prior_weight": "λ, default 1; where it is tuned, the first value tried",
      "prior_trust":
        "adaptive (default): the language model's prior is mixed with the unigram, by how well each explained the states so far; full: as if the prefix were certain",
      "max_candidates": "most candidates evaluated per position, default the whole vocabulary",
      "mismatch":
        "weights that differ from the victim's: none; profile (the noise of a position is at least what its best candidate leaves); affine (a correction is learned from the first pass); adapters (the victim's adapters are recovered first); auto (default): adapters at K1, none above. affine and adapters decode twice, where there are five documents or more",
    ])

  package static let rules: [String: SettingRule] = [
    "candidates": .choice(Candidates.allCases.map(\.rawValue)), "beam": .integer(1...64),
    "tune": .choice(Tuning.allCases.map(\.rawValue)), "prior_weight": .number(0...10),
    "max_candidates": .integer(1...(1 << 30)), "prior_trust": .choice(Trust.allCases.map(\.rawValue)),
    "mismatch": .choice(Mismatch.allCases.map(\.rawValue)),
  ]

  let candidates: Candidates
  /// Set anew by `decodedAsTuned`, as `priorWeight` is.
  var beam: Int
  var priorWeight: Float
  private let tuning: Tuning
  let maxCandidates: Int
  let mismatch: Mismatch
  let trust: Trust

  package init(_ settings: [String: SettingValue]) throws {
    let reader = SettingReader(settings, of: Self.description.name)
    candidates = try reader.choice("candidates", default: .proposals)
    beam = try reader.integer("beam", default: 1, in: 1...64)
    tuning = try reader.choice("tune", default: .never)
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
    let asked = Date()
    let order =
      try candidates == .inverter && !isForeign && likelihood.feature == nil ? inverterOrder(view, likelihood, means, progress) : nil
    // An inverter that was trained before cost that training all the same.
    let earlier = max(0, (order?.inverter?.report.seconds ?? 0) - Date().timeIntervalSince(asked))
    let tunes = !isForeign && observation.noise.law.drawsNoise && sigma > 0
    // What was asked for and does not apply is said.
    var notes: [String] = []
    if candidates == .inverter, order == nil {
      notes.append("candidates are proposals in place of the inverter's: the weights are not known, or states are not compared as they are")
    }
    if tuning == .rehearsed, !tunes, isForeign || observation.noise.law != .none && sigma > 0 {
      notes.append("nothing was tuned: a rehearsal needs the victim's weights and drawn noise")
    }
    if tuning == .rehearsed, tunes {
      var (found, forwards) = try decodedAsTuned(view, observed, likelihood, sigma: sigma, stack, means, anchors: order, progress)
      found.cost = AttackCost(seconds: Date().timeIntervalSince(started) + earlier, candidateForwards: forwards)
      return found
    }
    var (found, forwards) = try decode(view, observed, likelihood, stack, means, anchors: order) { try progress($0 / passes) }
    found.notes += notes
    if adapts {
      if let victim = try VictimModel(
        view, observation, found, sigma: sigma, stack: stack, method: mismatch, means, progress: { try progress((1 + $0) / passes) })
      {
        likelihood.correction = victim.correction
        let (second, more) = try decode(view, observation.values, likelihood, victim.stack, means) { try progress((2 + $0) / passes) }
        (found, forwards) = (second, forwards + more)
        found.notes += notes
        let (before, after) = victim.residuals
        found.notes.append(
          "foreign weights: \(before) of the states' power was unexplained on held-out texts, \(after) after self-training on rows that its map was not fitted to"
        )
      } else {
        found.notes.append("nothing was learned of foreign weights: too few texts, or no more is left than the noise explains")
      }
    } else if isForeign, mismatch != .profile {
      found.notes.append("nothing was learned of foreign weights: \(observation.noise.law.rawValue) states cannot be trained through")
    }
    found.cost = AttackCost(seconds: Date().timeIntervalSince(started) + earlier, candidateForwards: forwards)
    return found
  }

  /// Candidates in the order of the inverter that `learned-inverter` trains by default for the cut and noise of `view`.
  private func inverterOrder(
    _ view: AdversaryView, _ likelihood: CandidateLikelihood, _ means: AttackerMeans, _ progress: (Double) throws -> Void
  ) throws -> CandidateOrder {
    let settings = try InverterSettings(SettingReader([:], of: LearnedInverter.description.name))
    let task = InverterTask(view, means, estimatingSigma: true)
    // Progress stands still: how much of the whole the training is depends on whether it is stored.
    let inverter = try means.inverter(settings.recipe(.linear, width: 1, isMatched: false, task), task) { _ in try progress(0) }
    return CandidateOrder(view.partition.input, likelihood, inverter: inverter, means)
  }

  /// One pass over all documents, left to right in each.
  /// - Parameters:
  ///   - observed: what was observed of each position, [N, columns] as `likelihood` compares it.
  ///   - stack: the blocks that candidates run through.
  ///   - anchors: in the place of those that `likelihood` has by its law.
  ///   - evidence: [N, columns] what the inverter of `anchors` reads, where that is not `observed`.
  func decode(
    _ view: AdversaryView, _ observed: Matrix, _ likelihood: CandidateLikelihood, _ stack: BlockStack, _ means: AttackerMeans,
    anchors given: CandidateOrder? = nil, evidence: Matrix? = nil, _ progress: (Double) throws -> Void
  ) throws -> (Reconstruction, forwards: Int) {
    var found = Reconstruction(tokens: [], posterior: TokenPosterior(width: SequentialDecoder.posteriorWidth))
    var forwards = 0
    let anchors = candidates.isAnchored ? given ?? CandidateOrder(stack.blocks.count, likelihood, means) : nil
    let reader = anchors?.inverter.map { TrainedInverter.Reader($0, evidence ?? observed, offsets: view.offsets, means.model.compute) }
    for first in stride(from: 0, to: view.documents, by: Self.documentsTogether) {
      let group = first..<min(first + Self.documentsTogether, view.documents)
      var decoder = SequentialDecoder(
        self, observed, group.map(view.range), likelihood, stack: stack, anchors: anchors, reader: reader, means)
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
