package import Audit
import Diagnostics
import Foundation
import Checkpoints
import Kernels
import Llama
import SplitLearning

/// A6: gradient descent on free embeddings, then left-to-right discretisation calibrated by the client's own blocks.
///
///     min_Z Σ_t ½ (F_p(X)_t − y_t)² / (σ_t² + γ s_t v) + α ½ ‖Z‖² + β ½ ‖X − NN(X)‖² / u,   X = m + Z W,   low ≤ X ≤ high per dimension
///
/// The first block divides by the norm of X, so the states say little about it and X grows far beyond the vocabulary: the ridge α holds it, and
/// neighbours are those in direction from the mean.
package struct FreeEmbedding: OptimisationAttack {
  package static let description = MethodDescription(
    name: "free-embedding", summary: "gradient descent on embeddings through the client's blocks, then calibrated discretisation",
    paper:
      "PIA: prompt inversion by constrained optimisation and adaptive discretisation (2025); without stage2, box and penalty VFLAIR-LLM's vanilla inversion",
    deviations:
      "descent in the principal axes of the embedding table with a ridge (whiten: false and ridge: 0 are the paper's), no pull to the nearest "
      + "embedding by default because it costs accuracy, residuals in units of each channel's variance on public text with a softening that "
      + "falls to the noise, nearest embeddings of the penalty renewed every 20 steps, stop at the noise floor, likelihood × prior in the discretisation, lists that grow when nothing fits",
    cost:
      "one forward and one backward pass through p blocks a step; then about 20 candidate forwards (320 under noise) and one model forward a token",
    knowledge: .k2, channels: [.inputHiddenStates],
    settings: OptimisationSettings.settings.merging([
      "stage2": "true (default): calibrated discretisation; false: the token of the nearest embedding",
      "whiten": "true (default): W is the table's principal axes times their deviations; false: a multiple of the identity",
      "ridge": "α, default 3",
      "box": "true (default): keeps X between the least and largest embedding per dimension", "penalty": "β, default 0 (the paper: 0.1)",
      "neighbours": "tokens near X tried per position, default 10", "prior_candidates": "tokens from the language model tried, default 10",
      "prior_weight": "λ of the discretisation, default 1",
    ]) { $1 })

  package static let rules: [String: SettingRule] = OptimisationSettings.rules.merging(DiscretisationSettings.rules) { $1 }.merging([
    "stage2": .flag, "box": .flag, "penalty": .number(0...1000), "whiten": .flag, "ridge": .number(0...1000),
  ]) { $1 }

  static let rates: [Float] = [0.07, 0.15]

  let optimisation: OptimisationSettings
  let weightDecay: Float = 0
  private let discretisation: CalibratedDiscretisation?
  private let box: Bool
  private let penalty: Float
  private let whiten: Bool
  private let ridge: Float

  package init(_ settings: [String: SettingValue]) throws {
    let reader = SettingReader(settings, of: Self.description.name)
    optimisation = try OptimisationSettings(reader, settings, iterations: 250)
    discretisation =
      try DiscretisationSettings.flag("stage2", settings, of: Self.description.name) ? DiscretisationSettings.read(reader) : nil
    box = try DiscretisationSettings.flag("box", settings, of: Self.description.name)
    whiten = try DiscretisationSettings.flag("whiten", settings, of: Self.description.name)
    ridge = Float(try reader.real("ridge", default: 3, in: 0...1000))
    penalty = Float(try reader.real("penalty", default: 0, in: 0...1000))
  }

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    try reconstruct(view, means, discretisation, vectors: { $0.found(means.model.compute) }, progress: progress)
  }

  // Z, X, their gradients, two moments, the attractors and what the box moves.
  func width(_ means: AttackerMeans) -> Int { 9 * means.model.configuration.hiddenSize }

  func start(_ chunk: InversionChunk, _ means: AttackerMeans) -> FreeEmbeddings {
    let neighbours = EmbeddingNeighbours.of(means)
    let frame = means.memory.table("embedding-frame/\(whiten)") { EmbeddingFrame(neighbours, whitened: whiten, means.model.compute) }
    return FreeEmbeddings(rows: chunk.batch.rows, frame: frame, neighbours: neighbours, ridge: ridge, penalty: penalty, box: box)
  }

  func tokens(_ found: FreeEmbeddings, _ means: AttackerMeans) -> [Int32] {
    EmbeddingNeighbours.of(means).nearest(found.found(means.model.compute), count: 1).map { $0[0] }
  }

  var tuningKey: String { "\(box)/\(penalty)/\(whiten)/\(ridge)" }
}

/// Settings of the second stage, and what the attacks that have one do with it.
enum DiscretisationSettings {
  static let rules: [String: SettingRule] = [
    "neighbours": .integer(1...100_000), "prior_candidates": .integer(0...100_000), "prior_weight": .number(0...10),
  ]

  static func read(_ reader: SettingReader) throws -> CalibratedDiscretisation {
    CalibratedDiscretisation(
      neighbours: try reader.integer("neighbours", default: 10, in: 1...100_000),
      priorCandidates: try reader.integer("prior_candidates", default: 10, in: 0...100_000),
      priorWeight: Float(try reader.real("prior_weight", default: 1, in: 0...10)))
  }

  /// A flag that is on unless the plan says otherwise; throws for anything but true and false.
  static func flag(_ key: String, _ settings: [String: SettingValue], of attack: String) throws -> Bool {
    switch settings[key] {
    case nil: return true
    case .bool(let value): return value
    case let other?: throw Fault(.invalidData, "\(attack): \(key) must be true or false, not \(other.label)")
    }
  }
}

extension OptimisationAttack {
  /// Optimises, and reads tokens off by `discretisation` or, without one, as the nearest embeddings.
  func reconstruct(
    _ view: AdversaryView, _ means: AttackerMeans, _ discretisation: CalibratedDiscretisation?, vectors: (Parametrisation) -> Matrix,
    progress: (Double) throws -> Void
  ) throws -> Reconstruction {
    let started = Date()
    let share = discretisation == nil ? 1 : 0.7
    let inversion = try invert(view, means) { try progress($0 * share) }
    var (tokens, posterior) = ([[Int32]](), TokenPosterior(width: CalibratedDiscretisation.posteriorWidth))
    var forwards = inversion.rowForwards
    for (chunk, found) in inversion.chunks {
      guard let discretisation else {
        let flat = self.tokens(found, means)
        tokens += (0..<chunk.batch.sequences).map { Array(flat[chunk.batch.range($0)]) }
        continue
      }
      let (documents, tried) = try discretisation.decode(vectors(found), chunk, means) { done in
        try progress(share + (1 - share) * (Double(chunk.rows.lowerBound) + done * Double(chunk.rows.count)) / Double(max(1, view.tokens)))
      }
      forwards += tried
      for document in documents {
        tokens.append(document.tokens)
        for step in document.posteriors { posterior.append(step, position: 0) }
      }
    }
    return Reconstruction(
      tokens: tokens, posterior: discretisation == nil ? nil : posterior,
      cost: AttackCost(seconds: Date().timeIntervalSince(started) + inversion.earlierSeconds, candidateForwards: forwards))
  }
}
