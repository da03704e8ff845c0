import Foundation

/// A closed interval of a probability.
package struct ProbabilityInterval: Sendable, Codable, Hashable {
  package var lower: Double
  package var upper: Double
  package init(lower: Double, upper: Double) { (self.lower, self.upper) = (lower, upper) }
  package func contains(_ p: Double) -> Bool { lower <= p && p <= upper }
}

/// Exact (Clopper–Pearson) two-sided interval of a success probability after `successes` of `trials`; each side errs with at most (1 - confidence)/2.
package func clopperPearson(successes: Int, trials: Int, confidence: Double = 0.95) -> ProbabilityInterval {
  precondition(trials > 0 && (0...trials).contains(successes), "\(successes) successes of \(trials) trials")
  precondition(confidence > 0 && confidence < 1, "confidence \(confidence)")
  let tail = (1 - confidence) / 2
  let (k, n) = (Double(successes), Double(trials))
  return ProbabilityInterval(
    lower: successes == 0 ? 0 : bisect(0, 1) { incompleteBeta($0, k, n - k + 1) < tail },
    upper: successes == trials ? 1 : bisect(0, 1) { 1 - incompleteBeta($0, k + 1, n - k) > tail })
}

/// Regularised incomplete beta function I_x(a, b) by its continued fraction (modified Lentz; Numerical Recipes 6.4).
func incompleteBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
  if x <= 0 { return 0 }
  if x >= 1 { return 1 }
  if x > (a + 1) / (a + b + 2) { return 1 - incompleteBeta(1 - x, b, a) }
  let front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
  func safe(_ v: Double) -> Double { abs(v) < 1e-300 ? 1e-300 : v }
  var c = 1.0
  var d = 1 / safe(1 - (a + b) * x / (a + 1))
  var fraction = d
  for m in 1...20_000 {
    let m = Double(m)
    let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 / safe(1 + even * d)
    c = safe(1 + even / c)
    fraction *= d * c
    let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / safe(1 + odd * d)
    c = safe(1 + odd / c)
    fraction *= d * c
    if abs(d * c - 1) < 1e-15 { break }
  }
  return front * fraction
}
