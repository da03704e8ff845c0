package import Audit
import Foundation
import Checkpoints
import Kernels
import Llama
import SplitLearning

/// A7: gradient descent on coefficients in the singular basis of the embedding table, then repair by matching.
///
///     X = m + c B,  c = 5·atan(z)/π,  B_i = s_i/√V · R_i;   min_z Σ_t ½ (F_p(X)_t − y_t)² / (σ_t² + γ s_t v) + α ½ ‖c‖²
package struct SubspaceInversion: OptimisationAttack {
  package static let description = MethodDescription(
    name: "subspace-inversion", summary: "gradient descent on bounded coefficients in the embedding table's singular basis, then repair",
    paper: "TBS: token embeddings in the singular subspace, from \"Depth gives a false sense of privacy\" (2025)",
    deviations:
      "the table is centred first, rates of hundredths and hundreds of steps in place of 1e-4 and 50,000, residuals in units of each channel's variance on public text with a "
      + "softening that falls to the noise, a ridge on c, stop at the noise floor; repair by the discretisation of free-embedding",
    cost:
      "one forward and one backward pass through p blocks a step; with repair about 20 candidate forwards (320 under noise) and one model forward a token",
    knowledge: .k2, channels: [.inputHiddenStates],
    settings: OptimisationSettings.settings.merging([
      "rank": "singular vectors kept, default 0: all",
      "ridge": "α, default 3; 1 is a Gaussian prior with the vocabulary's mean and covariance",
      "repair": "true (default): left-to-right matching among neighbours and likely continuations; false: the nearest embedding",
      "neighbours": "tokens near X tried per position, default 10", "prior_candidates": "tokens from the language model tried, default 10",
      "prior_weight": "λ of the repair, default 1",
    ]) { $1 })

  package static let rules: [String: SettingRule] = OptimisationSettings.rules.merging(DiscretisationSettings.rules) { $1 }.merging([
    "rank": .integer(0...1 << 20), "ridge": .number(0...1000), "repair": .flag,
  ]) { $1 }

  static let rates: [Float] = [0.05, 0.1]

  let optimisation: OptimisationSettings
  let weightDecay: Float = 0.01
  private let repair: CalibratedDiscretisation?
  private let rank: Int
  private let ridge: Float

  package init(_ settings: [String: SettingValue]) throws {
    let reader = SettingReader(settings, of: Self.description.name)
    optimisation = try OptimisationSettings(reader, settings, iterations: 250)
    repair = try DiscretisationSettings.flag("repair", settings, of: Self.description.name) ? DiscretisationSettings.read(reader) : nil
    rank = try reader.integer("rank", default: 0, in: 0...1 << 20)
    ridge = Float(try reader.real("ridge", default: 3, in: 0...1000))
  }

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    try reconstruct(view, means, repair, vectors: { $0.found(means.model.compute) }, progress: progress)
  }

  // z, c, their gradients and two moments.
  func width(_ means: AttackerMeans) -> Int { 6 * means.model.configuration.hiddenSize }

  func start(_ chunk: InversionChunk, _ means: AttackerMeans) -> SubspaceCoefficients {
    SubspaceCoefficients(rows: chunk.batch.rows, basis: basis(means), ridge: ridge)
  }

  func tokens(_ found: SubspaceCoefficients, _ means: AttackerMeans) -> [Int32] {
    EmbeddingNeighbours.of(means).nearest(found.found(means.model.compute), count: 1).map { $0[0] }
  }

  private func basis(_ means: AttackerMeans) -> SingularBasis {
    means.memory.table("singular-basis/\(rank)") {
      let neighbours = EmbeddingNeighbours.of(means)
      return SingularBasis(neighbours.table, width: neighbours.width, rank: rank, means.model.compute)
    }
  }

  var tuningKey: String { "\(rank)/\(ridge)" }
}
