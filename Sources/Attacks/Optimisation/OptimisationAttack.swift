package import Audit
import Diagnostics
import Foundation
import Checkpoints
package import Kernels
package import Llama
import SplitLearning

/// Settings that all optimisation attacks take.
package struct OptimisationSettings: Sendable {
  package var iterations: Int
  /// Wall-clock seconds for the iterations of one view; nil without a limit. A run that hits it depends on the machine's speed.
  package var budgetSeconds: Double?
  /// Nil: chosen on public text.
  package var rate: Float?
  package var precision: Precision

  /// What the steps are computed in; under little noise the last tenth of bf16's is f32.
  package enum Precision: String, CaseIterable, Sendable { case f32, bf16 }

  static let rules: [String: SettingRule] = [
    "iterations": .integer(1...100_000), "budget_seconds": .number(0.001...1e6), "learning_rate": .number(1e-6...100),
    "precision": .choice(Precision.allCases.map(\.rawValue)),
  ]
  static let settings = [
    "iterations": "most steps of Adam", "budget_seconds": "stop the steps after so long, default never",
    "learning_rate": "of the first step, a tenth at the end; default: chosen by token accuracy on 4 public passages",
    "precision":
      "f32 (default), or bf16 where the CPU has it: all steps under noise of a twentieth of the states' size or more, else nine tenths of them",
  ]

  init(_ reader: SettingReader, _ given: [String: SettingValue], iterations: Int) throws {
    self.iterations = try reader.integer("iterations", default: iterations, in: 1...100_000)
    precision = try reader.choice("precision", default: .f32)
    budgetSeconds = given["budget_seconds"] == nil ? nil : try reader.real("budget_seconds", default: 1, in: 0.001...1e6)
    rate = given["learning_rate"] == nil ? nil : Float(try reader.real("learning_rate", default: 1, in: 1e-6...100))
  }
}

/// Documents that are optimised together, packed.
package struct InversionChunk: Sendable {
  package let documents: Range<Int>
  /// Rows of the view.
  package let rows: Range<Int>
  package let batch: PackedBatch
  /// y [N, C].
  package let observed: Matrix
  package let noise: NoiseStatement
  package let sigma: Double
  package let inputBlocks: Int

  /// Median over rows of a state's root mean square: first positions are far larger than the rest.
  var rootMeanSquare: Double {
    let squares = (0..<observed.rows).map { r in observed[row: r].reduce(0) { $0 + $1 * $1 } / Float(max(1, observed.columns)) }.sorted()
    return squares.isEmpty ? 0 : Double(squares[squares.count / 2]).squareRoot()
  }
}

/// An attack that moves embeddings until the client's blocks turn them into what was observed. It says what it moves and how to read tokens off;
/// the rest — chunks, rates, budget, cost — is here.
protocol OptimisationAttack: Attack {
  associatedtype Parametrisation: EmbeddingParametrisation
  var optimisation: OptimisationSettings { get }
  /// Rates to choose from.
  static var rates: [Float] { get }
  var weightDecay: Float { get }
  /// Floats a row takes besides the blocks' activations.
  func width(_ means: AttackerMeans) -> Int
  func start(_ chunk: InversionChunk, _ means: AttackerMeans) -> Parametrisation
  /// The token of every row.
  func tokens(_ found: Parametrisation, _ means: AttackerMeans) -> [Int32]
  /// What besides the law of the observation decides the best rate.
  var tuningKey: String { get }
}

/// What the first stage found.
struct Inversion<P: EmbeddingParametrisation> {
  var chunks: [(chunk: InversionChunk, found: P)] = []
  /// Rows through all input blocks, forward and backward counted as one, with those of the choice of a rate.
  var rowForwards = 0
  /// Wall-clock seconds of the choice of a rate, where an earlier view had to wait for it.
  var earlierSeconds = 0.0
}

/// A rate chosen on public text, and what that took.
private struct ChosenRate: Sendable {
  var rate: Float
  var rowForwards = 0
  var seconds = 0.0
}

extension OptimisationAttack {
  /// Noise from this share of the states' size on drowns what bf16 products are off by.
  private static var largeNoise: Double { 0.05 }

  /// Optimises all documents of the view.
  func invert(_ view: AdversaryView, _ means: AttackerMeans, progress: (Double) throws -> Void) throws -> Inversion<Parametrisation> {
    let began = Date()
    let chosen = try optimisation.rate.map { ChosenRate(rate: $0) } ?? rate(like: view, means) { try progress($0 * 0.2) }
    let tuned = Date()
    let deadline = optimisation.budgetSeconds.map { tuned.addingTimeInterval(max(0.001, $0 - tuned.timeIntervalSince(began))) }
    var result = try invert(view, means, rate: chosen.rate, deadline: deadline) { try progress(0.2 + 0.8 * $0) }
    // Whoever asked first, every view's attack costs it.
    result.rowForwards += chosen.rowForwards
    result.earlierSeconds = max(0, chosen.seconds - tuned.timeIntervalSince(began))
    return result
  }

  private func invert(
    _ view: AdversaryView, _ means: AttackerMeans, rate: Float, deadline: Date?, progress: (Double) throws -> Void
  ) throws -> Inversion<Parametrisation> {
    let variance = ChannelVariance.at(view.partition.input, means)
    var result = Inversion<Parametrisation>()
    for chunk in try chunks(view, means) {
      let loss = CutLoss(chunk.observed, chunk.noise, sigma: chunk.sigma, variance: variance)
      var loop = InversionLoop(
        means.model.stack[0..<chunk.inputBlocks], loss, chunk.batch, iterations: optimisation.iterations, rate: rate)
      if optimisation.precision == .bf16, Compute.hasBF16Products, chunk.inputBlocks > 0 {
        let narrowed = means.memory.table("blocks in bf16/\(chunk.inputBlocks)") { means.model.stack[0..<chunk.inputBlocks].narrowed() }
        loop.coarse = InversionLoop.frozen(narrowed)
        loop.coarseShare = chunk.sigma > Self.largeNoise * chunk.rootMeanSquare ? 1 : loop.coarseShare
      }
      (loop.weightDecay, loop.deadline) = (weightDecay, deadline)
      var x = start(chunk, means)
      let outcome = try loop.run(&x) { done in
        try progress((Double(chunk.rows.lowerBound) + done * Double(chunk.rows.count)) / Double(max(1, view.tokens)))
      }
      result.rowForwards += (outcome.iterations + 1) * chunk.rows.count
      result.chunks.append((chunk, x))
    }
    return result
  }

  /// Whole documents, as many together as fit into about half a gigabyte of activations.
  func chunks(_ view: AdversaryView, _ means: AttackerMeans) throws -> [InversionChunk] {
    let observation = try view.required(.inputHiddenStates, by: Self.description.name)
    let squares = (0..<observation.values.rows).map { r in observation.values[row: r].reduce(0) { $0 + $1 * $1 } }
    if let row = squares.firstIndex(where: { !$0.isFinite }) {
      throw Fault(.invalidData, "\(Self.description.name): state \(row) has a value that is not finite, or too large to square")
    }
    let c = means.model.configuration
    let perRow = view.partition.input * (8 * c.hiddenSize + 4 * c.feedForwardSize) + 8 * c.hiddenSize + width(means)
    let most = max(1, (1 << 27) / perRow)
    let sigma = NoiseEstimate.sigma(of: view, means)
    var chunks: [InversionChunk] = []
    var first = 0
    while first < view.documents {
      var end = first + 1
      while end < view.documents, view.offsets[end + 1] - view.offsets[first] <= most { end += 1 }
      let rows = view.offsets[first]..<view.offsets[end]
      chunks.append(
        InversionChunk(
          documents: first..<end, rows: rows, batch: PackedBatch(lengths: (first..<end).map { view.range(of: $0).count }),
          observed: observation.values.slice(rows), noise: observation.noise, sigma: sigma, inputBlocks: view.partition.input))
      first = end
    }
    return chunks
  }

  /// The rate that reads the most tokens of public text under the same law; kept in the attacker's memory. The middle one without public text.
  private func rate(like view: AdversaryView, _ means: AttackerMeans, progress: (Double) throws -> Void) throws -> ChosenRate {
    let middle = Self.rates[Self.rates.count / 2]
    let observation = try view.required(.inputHiddenStates, by: Self.description.name)
    let sigma = NoiseEstimate.sigma(of: view, means)
    let key =
      "rate/\(Self.description.name)/\(view.partition.input)/\(observation.noise)/\(sigma)/\(optimisation.iterations)/\(optimisation.precision)/\(tuningKey)"
    return try means.memory.table(key) {
      let began = Date()
      let rehearsal = means.rehearsal(
        like: view, passages: max(0, means.auxiliary.count - 4)..<means.auxiliary.count, sigma: sigma, stream: key)
      guard rehearsal.view.tokens > 0 else { return ChosenRate(rate: middle) }
      var best = (hits: -1, rate: middle)
      var cost = 0
      for (i, rate) in Self.rates.enumerated() {
        // A rate at which the loss diverges is no candidate.
        let attempt = try? invert(rehearsal.view, means, rate: rate, deadline: nil) { _ in }
        try progress(Double(i + 1) / Double(Self.rates.count))
        guard let attempt else { continue }
        cost += attempt.rowForwards
        let guesses = attempt.chunks.flatMap { tokens($0.found, means) }
        let hits = zip(guesses, rehearsal.truth.joined()).count { $0 == $1 }
        if hits > best.hits { best = (hits, rate) }
      }
      return ChosenRate(rate: best.rate, rowForwards: cost, seconds: Date().timeIntervalSince(began))
    }
  }
}
