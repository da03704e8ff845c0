package import Audit
import Foundation
import Kernels
import Llama
import SplitLearning

/// A9: averages repeated sends of the same text. A client that trains sends every sample once an epoch, each time with fresh noise; K copies leave
/// σ/√K. The copies are not given: they are linked, by length and by distance.
///
/// Two sends of one text differ by noise alone, so ‖y − y'‖² / (2σ²·T·C) is 1 ± √(2/(T·C)); sends of different texts differ by their states too.
/// A send joins the group that is nearest on average, if that lies below a threshold halfway to where different texts lie; groups are averaged and decoded by sequential
/// matching at σ/√K. No published source for split LLaMA; averaging is the standard argument behind composition.
package struct Averaging: Attack {
  package static let description = MethodDescription(
    name: "averaging", summary: "links repeated sends of the same text, averages them, and decodes by sequential matching at σ/√K",
    paper: "standard: composition of releases", deviations: "linking by length and distance; no order is given",
    cost: "all pairs of sends of equal length, then sequential matching once a text", knowledge: .k1, channels: [.inputHiddenStates],
    settings: SequentialMatching.description.settings.merging([
      "link_threshold": "most deviations (√(2/TC)) above what noise explains at which two sends are of the same text, default 6"
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
    let sigma = NoiseEstimate.sigma(of: view, means)
    let groups = linked(view, observation.values, sigma: sigma, spread: Self.spread(view, means))
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

  /// Mean variance of a state's channel over public text, nil without: half of the mean square by which states of different texts differ.
  private static func spread(_ view: AdversaryView, _ means: AttackerMeans) -> Double? {
    guard !means.auxiliary.isEmpty else { return nil }
    let variances = ChannelVariance.at(view.partition.input, means)
    return variances.reduce(0.0) { $0 + Double($1) } / Double(max(1, variances.count))
  }

  /// Sends that are of one text, as far as the observation says: lists of documents, in order of their first.
  /// - Parameter spread: half of the mean square by which states of different texts differ, where it is known.
  func linked(_ view: AdversaryView, _ observed: Matrix, sigma: Double, spread: Double?) -> [[Int]] {
    Dictionary(grouping: 0..<view.documents) { view.range(of: $0).count }.values
      .flatMap { linked(sameLength: $0.sorted(), view, observed, sigma: sigma, spread: spread) }.sorted { $0[0] < $1[0] }
  }

  private func linked(sameLength documents: [Int], _ view: AdversaryView, _ observed: Matrix, sigma: Double, spread: Double?) -> [[Int]] {
    let values = Double(view.range(of: documents[0]).count * observed.columns)
    guard values > 0, documents.count > 1 else { return documents.map { [$0] } }
    let power = documents.reduce(0.0) { sum, d in
      sum + observed.slice(view.range(of: d)).values.reduce(0.0) { $0 + Double($1) * Double($1) }
    }
    // Rounding of stored states stands for noise where there is none.
    let variance = max(sigma * sigma, power / (values * Double(documents.count)) * 1e-8, 1e-24)
    var statistics = [[Double]](repeating: [Double](repeating: 1, count: documents.count), count: documents.count)
    for i in documents.indices {
      for j in 0..<i {
        let d = squaredDistance(observed, view.range(of: documents[i]), view.range(of: documents[j]))
        (statistics[i][j], statistics[j][i]) = (d / (2 * variance * values), d / (2 * variance * values))
      }
    }
    // Where several texts have this length, most pairs are of different ones, and the median says how far apart those lie; where a text has it to
    // itself, the median is of one text, and public text says it. Half of that is the boundary. Where texts lie far apart, `threshold` deviations
    // keep near-duplicates out.
    let pairs = documents.indices.flatMap { i in (0..<i).map { statistics[i][$0] } }.sorted()
    let deviation = (2 / values).squareRoot()
    let median = pairs[pairs.count / 2] - 1
    let separation = median > 3 * deviation ? median : spread.map { $0 / variance } ?? max(median, 0)
    let limit = 1 + min(threshold * deviation, separation / 2)
    var groups: [[Int]] = []
    for i in documents.indices {
      // Average linkage: the group whose members are nearest on average.
      let nearest = groups.indices.map { g in (g, groups[g].reduce(0.0) { $0 + statistics[i][$1] } / Double(groups[g].count)) }
        .min { $0.1 < $1.1 }
      if let (g, statistic) = nearest, statistic <= limit { groups[g].append(i) } else { groups.append([i]) }
    }
    return groups.map { $0.map { documents[$0] } }
  }

  /// ‖a − b‖² of the rows of two documents of equal length.
  private func squaredDistance(_ observed: Matrix, _ a: Range<Int>, _ b: Range<Int>) -> Double {
    let c = observed.columns
    return zip(observed.values[a.lowerBound * c..<a.upperBound * c], observed.values[b.lowerBound * c..<b.upperBound * c])
      .reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
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
    // A mean of several Laplace draws is nearer to Gaussian than to Laplace.
    if noise.law == .laplace && groups[0].count > 1 { noise.law = .gaussian }
    return AdversaryView(
      identity: view.identity, partition: view.partition, offsets: offsets,
      observations: [
        .inputHiddenStates: Observation(
          values: Matrix(rows: values.count / c, columns: c, values: values), dimensions: observation.dimensions, unit: observation.unit,
          noise: noise)
      ])
  }
}
