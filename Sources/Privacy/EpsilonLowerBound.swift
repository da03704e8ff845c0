import Foundation

/// What a distinguishing game proves about a mechanism: it cannot be more private than this. A claimed ε below the bound is refuted.
///
/// The threshold must not have been chosen on the scores counted here, or the confidence is not what it says.
package struct EpsilonLowerBound: Sendable, Codable, Equatable {
  /// ln((TPR_lower - δ) / FPR_upper), at least 0; both 95 % Clopper–Pearson, so the bound holds with ≥ 95 % confidence.
  package var epsilon: Double
  /// z(TPR_lower) - z(FPR_upper), at least 0: the bound on mu, for mechanisms known to be Gaussian.
  package var mu: Double
  package var delta: Double

  /// From counts at one fixed threshold.
  ///
  /// - Throws: `Fault` unless 0 < δ < 1 and the counts fit.
  package init(truePositives: Int, positives: Int, falsePositives: Int, negatives: Int, delta: Double) throws {
    guard positives > 0, negatives > 0, (0...positives).contains(truePositives), (0...negatives).contains(falsePositives) else {
      throw invalid("no game has \(truePositives) of \(positives) true and \(falsePositives) of \(negatives) false positives")
    }
    self.delta = try checked(delta: delta)
    let lower = clopperPearson(successes: truePositives, trials: positives).lower
    let upper = clopperPearson(successes: falsePositives, trials: negatives).upper
    epsilon = lower > delta ? max(0, log((lower - delta) / upper)) : 0
    mu = max(0, lower > 0 && upper < 1 ? StandardNormal.quantile(lower) - StandardNormal.quantile(upper) : 0)
  }

  /// From one operating point of a measured game.
  package init(_ point: MeasuredGame.OperatingPoint, delta: Double) throws {
    try self.init(
      truePositives: point.truePositives, positives: point.positives, falsePositives: point.falsePositives, negatives: point.negatives,
      delta: delta)
  }

  /// Whether a claim of ε (at the same δ) survives: false means that the claim is refuted and the audit must fail.
  package func permits(claimedEpsilon: Double) -> Bool { epsilon <= claimedEpsilon }
}
