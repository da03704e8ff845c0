import Foundation

/// The standard normal law with tails that keep their relative precision: probabilities of 1e-300 and exponents of 1e7 are normal here.
package enum StandardNormal {
  static let logSqrtTwoPi = 0.918_938_533_204_672_741_780_329_736_406

  /// φ(z).
  package static func density(_ z: Double) -> Double { exp(-0.5 * z * z - logSqrtTwoPi) }

  /// Φ(z).
  package static func cumulative(_ z: Double) -> Double { 0.5 * erfc(-z / 2.0.squareRoot()) }

  /// ln Φ(z), accurate in both tails.
  package static func logCumulative(_ z: Double) -> Double {
    if z > 0 { return log1p(-cumulative(-z)) }
    return z > -7 ? log(cumulative(z)) : -0.5 * z * z - logSqrtTwoPi + log(millsRatio(-z))
  }

  /// Mills ratio (1 - Φ(x)) / φ(x) for x ≥ 0: erfc below 7, the continued fraction 1/(x + 1/(x + 2/(x + 3/(x + …)))) above.
  package static func millsRatio(_ x: Double) -> Double {
    precondition(x >= 0, "millsRatio needs x >= 0, got \(x)")
    if x < 7 { return cumulative(-x) / density(x) }
    var tail = x
    for k in stride(from: 50.0, through: 1, by: -1) { tail = x + k / tail }
    return 1 / tail
  }

  /// z with Φ(z) = p for 0 < p < 1, by bisection of ln Φ; ±∞ at p = 1 and p = 0.
  package static func quantile(_ p: Double) -> Double {
    precondition(p >= 0 && p <= 1, "quantile needs a probability, got \(p)")
    if p == 0 { return -.infinity }
    if p > 0.5 { return -quantile(1 - p) }
    let target = log(p)
    return bisect(-40, 0) { logCumulative($0) < target }
  }
}

/// The point of `[low, high]` where `isBelow` turns from true to false, to the last bit; `isBelow` must be monotone.
func bisect(_ low: Double, _ high: Double, _ isBelow: (Double) -> Bool) -> Double {
  var (low, high) = (low, high)
  while true {
    let middle = low + (high - low) / 2
    if middle <= low || middle >= high { return high }
    if isBelow(middle) { low = middle } else { high = middle }
  }
}
