package import Audit
import Diagnostics
import Foundation
import Kernels
import LeakageMetrics
import Privacy

/// What is true of the units that an inference attack answers for. It never leaves the scoring side.
package enum InferenceTruth: Sendable {
  /// Yes or no.
  case flags([Bool])
  /// Numbers or classes.
  case numbers([Int])
}

/// Compares an inference attack's answers with the truth.
package struct InferenceScoring: Sendable {
  package let seed: UInt64
  private let resamples = 1_000

  package init(seed: UInt64) { self.seed = seed }

  /// Fills the numbers of `result`.
  /// - Parameters:
  ///   - groups: units that are resampled together (rows of a document); nil where each stands for itself.
  ///   - delta: of the ε that the answers refute; nil where no ε applies.
  /// - Throws: `Fault` when answers and truth do not fit each other, or a score is NaN.
  package func score(
    _ answer: InferenceAnswer, against truth: InferenceTruth, groups: [Int]? = nil, delta: Double? = nil, into result: inout InferenceResult
  ) throws {
    switch (answer.values, truth) {
    case (.scores(let scores, let threshold), .flags(let flags)):
      try check(scores.count, flags.count, result)
      try scored(scores, threshold, flags, groups, delta, &result)
    case (.classes(let classes), .numbers(let numbers)):
      try check(classes.count, numbers.count, result)
      result.n = numbers.count
      decided(classes, numbers, groups, &result)
    case (.classes(let classes), .flags(let flags)):
      try check(classes.count, flags.count, result)
      (result.n, result.positives) = (flags.count, flags.count { $0 })
      decided(classes, flags.map { $0 ? 1 : 0 }, groups, &result)
    case (.posteriors(let rows, let prior), .numbers(let numbers)):
      try check(rows.count, numbers.count, result)
      guard !prior.isEmpty, rows.allSatisfy({ $0.count == prior.count }), (rows + [prior]).joined().allSatisfy({ $0 >= 0 && $0 <= 1 })
      else {
        throw Fault(.invalidData, "\(result.test) does not give a probability of every class")
      }
      result.n = numbers.count
      decided(rows.map { row in row.indices.max { row[$0] < row[$1] }! }, numbers, groups, &result)
      // Of a class that the attack does not know it says nothing.
      let gains = zip(rows, numbers).map { row, truth in
        prior.indices.contains(truth) ? log2(max(row[truth], 1e-12) / max(prior[truth], 1e-12)) : 0
      }
      result.bits = max(0, gains.reduce(0, +) / Double(gains.count))
    case (.scores, .numbers), (.posteriors, .flags):
      throw Fault(.invalidData, "\(result.test) answers in another form than \(result.question.rawValue) is asked in")
    }
  }

  private func check(_ answers: Int, _ truths: Int, _ result: InferenceResult) throws {
    guard answers == truths, truths > 0 else {
      throw Fault(.invalidData, "\(result.test) answers for \(answers) of \(truths) \(result.question.unit)s")
    }
  }

  private func scored(
    _ scores: [Double], _ threshold: Double?, _ flags: [Bool], _ groups: [Int]?, _ delta: Double?, _ result: inout InferenceResult
  ) throws {
    guard scores.allSatisfy({ !$0.isNaN }) else { throw Fault(.invalidData, "a score of \(result.test) is NaN") }
    (result.n, result.positives) = (flags.count, flags.count { $0 })
    if let threshold { decided(scores.map { $0 > threshold ? 1 : 0 }, flags.map { $0 ? 1 : 0 }, groups, &result) }
    let (h0, h1) = (scores.indices.filter { !flags[$0] }.map { scores[$0] }, scores.indices.filter { flags[$0] }.map { scores[$0] })
    guard h0.count > 1, h1.count > 1 else { return }
    let game = try DistinguishingGame.measured(scoresUnderH0: h0, scoresUnderH1: h1)
    result.auc = game.auc
    // Under complete separation no resample shows a spread; the exact interval of the game does.
    let isSeparated = game.auc == 0 || game.auc == 1
    result.aucCI95 =
      isSeparated ? [game.aucInterval.lower, game.aucInterval.upper] : RankCurve(scores, flags).interval(groups, resamples, seed: seed)
    result.atOnePercent = Self.rate(game.atOnePercent)
    result.atOnePerMille = Self.rate(game.atOnePerMille)
    if let delta {
      result.delta = delta
      result.epsilonLower = try epsilonLower(scores, flags, delta: delta)
    }
  }

  private static func rate(_ point: MeasuredGame.OperatingPoint) -> InferenceResult.Rate {
    let interval = point.truePositiveInterval
    return .init(rate: point.truePositiveRate, ci95: [interval.lower, interval.upper], isResolved: point.isResolved)
  }

  private func decided(_ decisions: [Int], _ truth: [Int], _ groups: [Int]?, _ result: inout InferenceResult) {
    let hits = zip(decisions, truth).count { $0 == $1 }
    result.accuracy = Double(hits) / Double(truth.count)
    // Rows of a document go together: whole documents are resampled, where they differ at all.
    let rows = groups.map(RankCurve.members)?.map { units in
      [Double(units.count { decisions[$0] == truth[$0] }), Double(units.count)]
    }
    if let estimate = rows.flatMap({ bootstrap($0, seed: seed) { $0[0] / $0[1] } }), !estimate.isDegenerate {
      result.accuracyCI95 = estimate.ci95
    } else {
      let interval = clopperPearson(successes: hits, trials: truth.count)
      result.accuracyCI95 = [interval.lower, interval.upper]
    }
    if let (usual, most) = Self.counts(truth).max(by: { ($0.value, $1.key) < ($1.value, $0.key) }) {
      result.majorityBaseline = Double(most) / Double(truth.count)
      let units = groups.map(RankCurve.members) ?? truth.indices.map { [$0] }
      let gains = units.map { unit in
        [unit.reduce(0.0) { $0 + (decisions[$1] == truth[$1] ? 1 : 0) - (truth[$1] == usual ? 1 : 0) }, Double(unit.count)]
      }
      if let estimate = bootstrap(gains, seed: seed, aggregate: { $0[0] / $0[1] }), !estimate.isDegenerate {
        result.gainCI95 = estimate.ci95
      }
    }
    // I(D; T) = H(D) + H(T) − H(D, T).
    let joint = Dictionary(zip(decisions, truth).map { (Pair(a: $0, b: $1), 1) }, uniquingKeysWith: +)
    result.bits = max(0, Self.entropy(Self.counts(decisions)) + Self.entropy(Self.counts(truth)) - Self.entropy(joint))
  }

  private struct Pair: Hashable { var a: Int, b: Int }
  private static func counts(_ values: [Int]) -> [Int: Int] { Dictionary(values.map { ($0, 1) }, uniquingKeysWith: +) }

  /// Bits of the empirical distribution, summed in a fixed order.
  private static func entropy(_ counts: [some Hashable: Int]) -> Double {
    let n = Double(counts.values.reduce(0, +))
    return counts.values.sorted().reduce(0) { $0 - Double($1) / n * log2(Double($1) / n) }
  }

  /// The ε that the answers refute: the threshold is chosen on one half of the units, in a seeded order, and counted on the other.
  private func epsilonLower(_ scores: [Double], _ flags: [Bool], delta: Double) throws -> Double? {
    var generator = CounterRandom(seed: seed, stream: "inference/halves").generator()
    let order = scores.indices.shuffled(using: &generator)
    let (chosen, counted) = (order.prefix(order.count / 2), order.dropFirst(order.count / 2))
    func bound(_ threshold: Double, _ units: ArraySlice<Int>) throws -> Double? {
      let (positives, above) = (units.count { flags[$0] }, units.filter { scores[$0] > threshold })
      guard positives > 0, positives < units.count else { return nil }
      return try EpsilonLowerBound(
        truePositives: above.count { flags[$0] }, positives: positives, falsePositives: above.count { !flags[$0] },
        negatives: units.count - positives, delta: delta
      ).epsilon
    }
    let sorted = chosen.map { scores[$0] }.sorted()
    let step = max(1, sorted.count / 200)
    var best: (threshold: Double, epsilon: Double)?
    for k in stride(from: 0, to: sorted.count, by: step) {
      if let epsilon = try bound(sorted[k], chosen), epsilon > best?.epsilon ?? -1 { best = (sorted[k], epsilon) }
    }
    return try best.flatMap { try bound($0.threshold, counted) }
  }
}
