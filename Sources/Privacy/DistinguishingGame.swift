import Foundation

/// The game behind every (ε, δ): the adversary gets one release and says which of two neighbouring inputs it came from. For a Gaussian mechanism
/// the best adversary's curve is known in closed form.
extension GaussianMechanism {
  /// Area under the ROC curve of the best adversary: Φ(mu / sqrt 2).
  package var distinguishingAUC: Double { StandardNormal.cumulative(mu / 2.0.squareRoot()) }

  /// True-positive rate of the best adversary at a false-positive rate: 1 - Φ(z_{1 - FPR} - mu).
  package func truePositiveRate(falsePositiveRate: Double) -> Double {
    StandardNormal.cumulative(mu + StandardNormal.quantile(falsePositiveRate))
  }
}

/// A distinguishing game as it was really played, with its uncertainty.
package struct MeasuredGame: Sendable, Codable, Equatable {
  /// One threshold on the score: says "H1" above it.
  package struct OperatingPoint: Sendable, Codable, Equatable {
    /// The false-positive rate that was asked for; the realised one is at most that.
    package var targetFalsePositiveRate: Double
    package var falsePositives: Int
    package var negatives: Int
    package var truePositives: Int
    package var positives: Int

    package var falsePositiveRate: Double { Double(falsePositives) / Double(negatives) }
    package var truePositiveRate: Double { Double(truePositives) / Double(positives) }
    /// 95 % Clopper–Pearson; the threshold is taken as given.
    package var truePositiveInterval: ProbabilityInterval { clopperPearson(successes: truePositives, trials: positives) }
    package var falsePositiveInterval: ProbabilityInterval { clopperPearson(successes: falsePositives, trials: negatives) }
    /// False if there are too few H0 scores to allow a single false positive at this rate: the point is then stricter than its name.
    package var isResolved: Bool { Double(negatives) * targetFalsePositiveRate >= 1 }
  }

  package var auc: Double
  /// 95 % DeLong interval, cut to [0, 1]; under complete separation, where DeLong's variance is 0, the exact binomial interval of min(n0, n1)
  /// disjoint pairs that were all ranked alike.
  package var aucInterval: ProbabilityInterval
  package var atOnePercent: OperatingPoint
  package var atOnePerMille: OperatingPoint
}

package enum DistinguishingGame {
  /// Evaluates scores that were drawn under H0 and under H1 (larger speaks for H1).
  ///
  /// - Throws: `Fault` with fewer than two scores on a side, or a score that is NaN.
  package static func measured(scoresUnderH0 h0: [Double], scoresUnderH1 h1: [Double]) throws -> MeasuredGame {
    guard h0.count > 1, h1.count > 1 else {
      throw invalid("a distinguishing game needs two scores a side, got \(h0.count) and \(h1.count)")
    }
    guard !h0.contains(where: \.isNaN), !h1.contains(where: \.isNaN) else { throw invalid("a score of the distinguishing game is NaN") }
    let (auc, variance) = deLong(h0, h1)
    let interval: ProbabilityInterval
    if auc == 1 || auc == 0 {
      let pairs = min(h0.count, h1.count)
      interval = clopperPearson(successes: auc == 1 ? pairs : 0, trials: pairs)
    } else {
      let half = 1.959_963_984_540_054 * variance.squareRoot()
      interval = ProbabilityInterval(lower: max(0, auc - half), upper: min(1, auc + half))
    }
    return MeasuredGame(
      auc: auc, aucInterval: interval, atOnePercent: operatingPoint(h0, h1, rate: 0.01), atOnePerMille: operatingPoint(h0, h1, rate: 0.001))
  }

  /// The most permissive threshold with at most `rate` false positives among the H0 scores; ties stay below the threshold.
  static func operatingPoint(_ h0: [Double], _ h1: [Double], rate: Double) -> MeasuredGame.OperatingPoint {
    let allowed = min(h0.count - 1, Int(Double(h0.count) * rate))
    let threshold = h0.sorted(by: >)[allowed]
    return MeasuredGame.OperatingPoint(
      targetFalsePositiveRate: rate, falsePositives: h0.count { $0 > threshold }, negatives: h0.count,
      truePositives: h1.count { $0 > threshold }, positives: h1.count)
  }

  /// AUC and its variance (DeLong, DeLong, Clarke-Pearson 1988) through mid-ranks (Sun & Xu 2014), O(n log n).
  static func deLong(_ h0: [Double], _ h1: [Double]) -> (auc: Double, variance: Double) {
    let (n0, n1) = (Double(h0.count), Double(h1.count))
    let pooled = midRanks(h1 + h0)
    let (own1, own0) = (midRanks(h1), midRanks(h0))
    let placement1 = own1.indices.map { (pooled[$0] - own1[$0]) / n0 }
    let placement0 = own0.indices.map { 1 - (pooled[h1.count + $0] - own0[$0]) / n1 }
    func moments(_ v: [Double]) -> (mean: Double, variance: Double) {
      let mean = v.reduce(0, +) / Double(v.count)
      return (mean, v.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(v.count - 1))
    }
    let (first, second) = (moments(placement1), moments(placement0))
    return (first.mean, first.variance / n1 + second.variance / n0)
  }

  /// 1-based ranks; tied values share their mean rank.
  private static func midRanks(_ values: [Double]) -> [Double] {
    let order = values.indices.sorted { values[$0] < values[$1] }
    var ranks = [Double](repeating: 0, count: values.count)
    var start = 0
    while start < order.count {
      var end = start + 1
      while end < order.count, values[order[end]] == values[order[start]] { end += 1 }
      for i in start..<end { ranks[order[i]] = Double(start + end + 1) / 2 }
      start = end
    }
    return ranks
  }
}
