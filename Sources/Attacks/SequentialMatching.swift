import SplitLearning
package import Audit
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
/// itself. Sources: vocabulary matching (VMA; SipIt, Nikolaou et al. 2025) for clean states; likelihood, prior and beam are ours.
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

  package static let description = MethodDescription(
    name: "sequential-matching",
    summary: "left-to-right vocabulary matching through the client's blocks, noise likelihood × language-model prior, beam",
    paper: "VMA (2024) and SipIt (Nikolaou et al. 2025) for clean states",
    deviations: "Gaussian noise likelihood, LM prior, beam and candidate proposals are added; clipping is modelled",
    cost:
      "about 10 candidate forwards through p blocks a token on clean states, hundreds under noise; one model forward a token for the prior",
    knowledge: .k2, channels: [.inputHiddenStates],
    settings: [
      "candidates": "proposals (default), language-model or exhaustive", "beam": "hypotheses kept per document, default 1",
      "prior_weight": "λ, default 1", "max_candidates": "most candidates evaluated per position, default the whole vocabulary",
    ])

  package static let rules: [String: SettingRule] = [
    "candidates": .choice(Candidates.allCases.map(\.rawValue)), "beam": .integer(1...64), "prior_weight": .number(0...10),
    "max_candidates": .integer(1...(1 << 30)),
  ]

  let candidates: Candidates
  let beam: Int
  let priorWeight: Float
  let maxCandidates: Int

  package init(_ settings: [String: SettingValue]) throws {
    let reader = SettingReader(settings, of: Self.description.name)
    candidates = try reader.choice("candidates", default: .proposals)
    beam = try reader.integer("beam", default: 1, in: 1...64)
    priorWeight = Float(try reader.real("prior_weight", default: 1, in: 0...10))
    maxCandidates = try reader.integer("max_candidates", default: 1 << 30, in: 1...(1 << 30))
  }

  /// Documents decoded in step with each other, so that every product has many rows.
  private static let documentsTogether = 32

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    let observation = try view.required(.inputHiddenStates, by: Self.description.name)
    let started = Date()
    var tokens: [[Int32]] = []
    var posterior = TokenPosterior(width: SequentialDecoder.posteriorWidth)
    var forwards = 0
    for first in stride(from: 0, to: view.documents, by: Self.documentsTogether) {
      let group = first..<min(first + Self.documentsTogether, view.documents)
      var decoder = SequentialDecoder(self, observation, group.map(view.range), view.partition.input, means)
      let rows = group.reduce(0) { $0 + view.range(of: $1).count }
      let found = try decoder.decode { try progress((Double(view.offsets[first]) + $0 * Double(rows)) / Double(max(1, view.tokens))) }
      for document in found {
        tokens.append(document.tokens)
        for step in document.posteriors { posterior.append(step, position: 0) }
      }
      forwards += decoder.forwards
    }
    return Reconstruction(
      tokens: tokens, posterior: posterior, cost: AttackCost(seconds: Date().timeIntervalSince(started), candidateForwards: forwards))
  }
}
