package import Audit
import Checkpoints
import Foundation
import Kernels
import Llama
import SplitLearning
import TextScores

/// A17: text from one vector a document, the mean of its states or the state of its last position. A trained linear map reads from the vector
/// which tokens the document holds; the frozen language model puts them in order:
///
///     score(v) = ln q(v | prefix) + λ ln( (n p(v) − times v is written already) / (n u(v)) )
///
/// with p the map's bag of tokens, u the unigram law, n the document's length, and λ chosen on public text.
package struct PooledInverter: Attack {
  enum Pooling: String, CaseIterable { case mean, last }

  package static let description = MethodDescription(
    name: "pooled-inverter", summary: "text from the mean or last state of a document: a learned bag of tokens guides the language model",
    paper: "GEIA, Li et al. 2023; vec2text, Morris et al. 2023; Rep2Text, 2025",
    deviations: "the vector steers a frozen decoder's scores in place of its input; no corrector; greedy",
    cost: "training as learned-inverter; then one model forward a token", knowledge: .k1, channels: [.inputHiddenStates],
    settings: InverterSettings.texts.merging(["pooling": "mean (default) or last"]) { $1 })

  package static let rules: [String: SettingRule] = InverterSettings.rules.merging([
    "pooling": .choice(Pooling.allCases.map(\.rawValue))
  ]) { $1 }

  /// λ tried, and passages it is chosen on.
  private static let weights: [Float] = [0, 0.25, 0.5, 1]
  private static let passages = 6
  /// Least expected count of a token, so that the bag forbids nothing.
  private static let least: Float = 0.02

  private let settings: InverterSettings
  private let pooling: InverterTask.Pooling

  package init(_ settings: [String: SettingValue]) throws {
    let reader = SettingReader(settings, of: Self.description.name)
    self.settings = try InverterSettings(reader)
    pooling = try reader.choice("pooling", default: Pooling.mean) == .mean ? .mean : .last
  }

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    let observation = try view.required(.inputHiddenStates, by: Self.description.name)
    let task = InverterTask(view, means, estimatingSigma: settings.estimatesSigma, pooling: pooling)
    let recipe = settings.recipe(.linear, width: 1, isMatched: true, task)
    let inverter = try means.inverter(recipe, task) { try progress(0.6 * $0) }
    let started = Date()
    let rehearsal = means.rehearsal(
      like: view, passages: max(0, means.auxiliary.count - Self.passages)..<means.auxiliary.count, sigma: task.sigma, stream: "pooled")
    var weight: Float = 0.5
    if let states = rehearsal.view.observations[.inputHiddenStates]?.values, rehearsal.view.tokens > 0 {
      let bags = bags(inverter, states, rehearsal.view, means)
      let scores = try Self.weights.enumerated().map { k, weight in
        let share = 0.2 / Double(Self.weights.count)
        return Self.overlap(
          try Self.decode(bags, rehearsal.view, weight, means) { try progress(0.6 + share * (Double(k) + $0)) }.tokens, rehearsal.truth)
      }
      weight = Self.weights[scores.indices.max { scores[$0] < scores[$1] }!]
    }
    var found = try Self.decode(bags(inverter, observation.values, view, means), view, weight, means) { try progress(0.8 + 0.2 * $0) }
    found.cost.seconds = Date().timeIntervalSince(started) + inverter.report.seconds
    return found
  }

  /// p of every token by document, [documents, V]; documents without tokens have no row of their own, but one of zeros.
  private func bags(_ inverter: TrainedInverter, _ states: Matrix, _ view: AdversaryView, _ means: AttackerMeans) -> Matrix {
    let compute = means.model.compute
    let kept = (0..<view.documents).filter { !view.range(of: $0).isEmpty }
    let offsets = [0] + kept.map { view.offsets[$0 + 1] }
    let pooled = pooling.applied(states, offsets: offsets)
    let reader = TrainedInverter.Reader(inverter, pooled, offsets: Array(0...pooled.rows), compute)
    var scores = reader.scores(0..<pooled.rows, prior: Unigram.of(means).logProbabilities, compute)
    for (row, normaliser) in compute.logSumExp(scores).enumerated() {
      scores[row: row] = scores[row: row].map { exp($0 - normaliser) }[...]
    }
    var out = Matrix(rows: view.documents, columns: scores.columns)
    compute.scatter(scores, into: &out, rows: kept[...])
    return out
  }

  private static func decode(
    _ bags: Matrix, _ view: AdversaryView, _ weight: Float, _ means: AttackerMeans, _ progress: (Double) throws -> Void
  ) throws -> Reconstruction {
    let prior = LanguagePrior(means)
    let unigram = Unigram.of(means).logProbabilities
    let lengths = (0..<view.documents).map { view.range(of: $0).count }
    let longest = lengths.max() ?? 0
    var tokens = lengths.map { _ in [Int32]() }
    var posteriors = lengths.map { _ in TokenPosterior(width: ScoreTable.posteriorWidth) }
    var left = (0..<view.documents).map { d in bags[row: d].map { $0 * Float(lengths[d]) } }
    var branches = lengths.map { _ in prior.start() }
    for t in 0..<longest {
      let running = lengths.indices.filter { lengths[$0] > t }
      for d in running {
        let n = log(Float(lengths[d]))
        let next = prior.logProbabilities(of: branches[d])
        var scores = next
        for v in scores.indices { scores[v] += weight * (log(max(left[d][v], least)) - n - unigram[v]) }
        let row = Matrix(rows: 1, columns: scores.count, values: scores)
        let normaliser = means.model.compute.logSumExp(row)[0]
        posteriors[d].append(densest: scores.map { $0 - normaliser }, width: ScoreTable.posteriorWidth)
        let token = argmax(scores[...])
        tokens[d].append(token)
        left[d][Int(token)] -= 1
      }
      let going = running.filter { lengths[$0] > t + 1 }
      for (d, branch) in zip(going, prior.advance(going.map { (branches[$0], tokens[$0][t]) })) { branches[d] = branch }
      try progress(Double(t + 1) / Double(longest))
    }
    var posterior = TokenPosterior(width: ScoreTable.posteriorWidth)
    for d in lengths.indices { for t in 0..<lengths[d] { posterior.append(posteriors[d], position: t) } }
    return Reconstruction(tokens: tokens, posterior: posterior)
  }

  /// Share of the true tokens that the guess holds, as often as it holds them.
  private static func overlap(_ guess: [[Int32]], _ truth: [[Int32]]) -> Double {
    let hits = zip(guess, truth).reduce(0) { $0 + bagOverlap($1.0, $1.1) }
    return Double(hits) / Double(max(1, truth.reduce(0) { $0 + $1.count }))
  }
}
