import SplitLearning
import Llama
package import Audit
import Foundation
import Kernels

/// A1: calibrated anchors: the token under whose mean state at this cut the observation is most likely, times the unigram prior.
package struct Anchors: Attack {
  package static let description = MethodDescription(
    name: "anchors", summary: "maximum likelihood among the mean states of all tokens at the cut, residual measured on public text",
    paper: "calibrated nearest neighbour, Luo et al. 2025",
    deviations:
      "diagonal Gaussian residual and unigram prior in place of an L1 distance; one public context instead of several random ones",
    cost: "2·V candidate forwards once per cut, then one product", knowledge: .k1, channels: [.inputHiddenStates],
    settings: ["prior_weight": "weight of the unigram prior, default 1"])

  package static let rules: [String: SettingRule] = ["prior_weight": .number(0...10)]

  private let priorWeight: Float

  package init(_ settings: [String: SettingValue]) throws {
    priorWeight = Float(try SettingReader(settings, of: Self.description.name).real("prior_weight", default: 1, in: 0...10))
  }

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    let observation = try view.required(.inputHiddenStates, by: Self.description.name)
    let compute = means.model.compute
    let table = AnchorTable.at(view.partition.input, means, noise: observation.noise)
    let prior = Unigram.of(means).logProbabilities.map { $0 * priorWeight }
    let firstRows = Set(view.offsets.dropLast())
    let sigma = NoiseEstimate.sigma(of: view, means)
    let later = table.scorer(isFirst: false, sigma: sigma, compute)
    return try ScoreTable.reconstruct(view, observation.values, calibrated: true, compute, progress) { states, rows in
      var scores = table.logLikelihoods(states, isFirst: rows.map(firstRows.contains), later: later, sigma: sigma, compute)
      compute.addBias(&scores, prior)
      return scores
    }
  }
}
