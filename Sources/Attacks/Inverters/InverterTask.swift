package import Audit
import Checkpoints
import Foundation
import Kernels
import Llama
import SplitLearning

/// What an inverter is to learn: which cut, which defense, what it is shown.
package struct InverterTask: Sendable, Hashable {
  /// What the attacker sees of a document.
  package enum Pooling: String, Sendable, CaseIterable, Codable {
    /// The state of every position.
    case none
    /// The mean of all states.
    case mean
    /// The state of the last position.
    case last
  }

  package var inputBlocks: Int
  package var noise: NoiseStatement
  /// Deviation s that noise factors are multiples of, activation units; 0 for defenses without noise.
  package var sigma: Double
  package var pooling: Pooling
  /// For the control: labels are dealt out anew, so that states tell nothing about them.
  package var isShuffled: Bool
  /// What is read in the place of the states at the cut: tensors of a server block behind it.
  var cache: CacheCut?

  /// Deviation of the noise in every coordinate of what is read. Behind blocks and projections it is not white, and counts as part of the residual.
  var whiteSigma: Double { cache == nil ? sigma : 0 }

  /// Columns of what is read.
  func columns(_ model: LlamaModel) -> Int { cache?.columns(model) ?? model.configuration.hiddenSize }

  package init(inputBlocks: Int, noise: NoiseStatement, sigma: Double, pooling: Pooling = .none, isShuffled: Bool = false) {
    (self.inputBlocks, self.noise, self.sigma) = (inputBlocks, noise, sigma)
    (self.pooling, self.isShuffled) = (pooling, isShuffled)
  }

  /// The task that `view` poses. Where σ is withheld, s is estimated from the view, or taken as the root mean square of clean states.
  package init(_ view: AdversaryView, _ means: AttackerMeans, estimatingSigma: Bool, pooling: Pooling = .none, isShuffled: Bool = false) {
    let noise = view.observations[.inputHiddenStates]?.noise ?? .none
    let isWithheld = noise.law.drawsNoise && noise.sigma == nil
    let sigma =
      isWithheld && !estimatingSigma ? NoiseEstimate.signalSize(view, means) : NoiseEstimate.trainingSigma(of: view, means)
    self.init(inputBlocks: view.partition.input, noise: noise, sigma: sigma, pooling: pooling, isShuffled: isShuffled)
  }

  /// The task of reading `cut` of a view whose noise is known.
  init(_ view: AdversaryView, cache cut: CacheCut) {
    self.init(inputBlocks: view.partition.input, noise: view.inputNoise, sigma: view.inputNoise.sigma ?? 0)
    cache = cut
  }
}
