package import Audit
import Checkpoints
import Foundation
import Kernels
import Llama
import SplitLearning

/// A9: averages repeated sends of the same text. A client that trains sends every sample once an epoch, each time with fresh noise; K copies leave
/// σ/√K. The copies are not given: they are linked, by length and by what they hold.
///
/// `SendLinking` says which sends are of one text; groups are averaged and decoded by sequential
/// matching at σ/√K. No published source for split LLaMA; averaging is the standard argument behind composition.
package struct Averaging: Attack {
  package static let description = MethodDescription(
    name: "averaging", summary: "links repeated sends of the same text, averages them, and decodes by sequential matching at σ/√K",
    paper: "standard: composition of releases",
    deviations: "linking by length and a likelihood ratio in the principal axes of public text; no order is given",
    cost: "all pairs of sends of equal length, then sequential matching once a text", knowledge: .k1, channels: [.inputHiddenStates],
    occasion: .repeatedSends,
    settings: SequentialMatching.description.settings.merging([
      "link_threshold": "most deviations beyond what noise explains at which two sends may be of the same text, default 6"
    ]) { a, _ in a })

  package static let rules = SequentialMatching.rules.merging(["link_threshold": .number(0...1e6)]) { a, _ in a }

  private let matching: SequentialMatching
  private let threshold: Double

  package init(_ settings: [String: SettingValue]) throws {
    threshold = try SettingReader(settings, of: Self.description.name).real("link_threshold", default: 6, in: 0...1e6)
    matching = try SequentialMatching(settings.filter { $0.key != "link_threshold" })
  }

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    let observation = try view.required(.inputHiddenStates, by: Self.description.name)
    try view.checkRows(observation.values, "states at the input cut", width: means.model.configuration.hiddenSize, Self.description.name)
    let sigma = NoiseEstimate.sigma(of: view, means)
    let linking = SendLinking(
      observation.values, observation.noise, sigma: sigma, threshold: threshold, inputBlocks: view.partition.input, means)
    let groups = linking.groups(view, observation.values)
    // Groups of the same size share a deviation, so each size is one view of its own.
    var tokens = [[Int32]](repeating: [], count: view.documents)
    var posteriors = [[Int]](repeating: [], count: view.documents)
    var (posterior, cost, done) = (TokenPosterior(width: SequentialDecoder.posteriorWidth), AttackCost(), 0)
    var notes: [String] = []
    for (size, same) in Dictionary(grouping: groups, by: \.count).sorted(by: { $0.key < $1.key }) {
      let averaged = self.averaged(view, observation, same, sigma: sigma / Double(size).squareRoot())
      let share = averaged.tokens * size
      let found = try matching.reconstruct(averaged, with: means) {
        try progress((Double(done) + $0 * Double(share)) / Double(max(1, view.tokens)))
      }
      done += share
      notes += found.notes
      if size > 1 {
        notes.append("\(same.count) texts were linked as sent \(size) times: σ \(sigma) became \(sigma / Double(size).squareRoot())")
      }
      for (k, group) in same.enumerated() {
        let rows = averaged.range(of: k).map { posterior.positions + $0 }
        for document in group { (tokens[document], posteriors[document]) = (found.tokens[k], rows) }
      }
      for row in 0..<averaged.tokens { posterior.append(found.posterior!, position: row) }
      (cost.seconds, cost.candidateForwards) = (cost.seconds + found.cost.seconds, cost.candidateForwards + found.cost.candidateForwards)
    }
    var ordered = TokenPosterior(width: posterior.width)
    for rows in posteriors { for row in rows { ordered.append(posterior, position: row) } }
    var found = Reconstruction(tokens: tokens, posterior: ordered, cost: cost)
    found.notes = notes
    return found
  }

  private func averaged(_ view: AdversaryView, _ observation: Observation, _ groups: [[Int]], sigma: Double) -> AdversaryView {
    var values: [Float] = []
    var offsets = [0]
    let c = observation.values.columns
    for group in groups {
      let length = view.range(of: group[0]).count
      for t in 0..<length {
        for j in 0..<c { values.append(group.reduce(Float(0)) { $0 + observation.values[view.offsets[$1] + t, j] } / Float(group.count)) }
      }
      offsets.append(offsets.last! + length)
    }
    var noise = observation.noise
    noise.sigma = sigma
    // A mean of several Laplace draws is nearer to Gaussian than to Laplace; the states were clipped as they were.
    if noise.law == .laplace && groups[0].count > 1 { (noise.law, noise.norm) = (.gaussian, noise.clippedNorm) }
    return AdversaryView(
      identity: view.identity, partition: view.partition, offsets: offsets,
      observations: [
        .inputHiddenStates: Observation(
          values: Matrix(rows: values.count / c, columns: c, values: values), dimensions: observation.dimensions, unit: observation.unit,
          noise: noise)
      ])
  }
}
