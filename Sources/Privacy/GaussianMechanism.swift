import Diagnostics
import Foundation

/// The Gaussian mechanism, described completely by mu = sensitivity / sigma: telling two neighbouring inputs apart is exactly as hard as telling
/// N(0, 1) from N(mu, 1) (Dong, Roth, Su: Gaussian Differential Privacy, 2019). (ε, δ) follow from the analytic curve of Balle & Wang
/// (ICML 2018), valid for every ε; the classical sqrt(2 ln(1.25/δ)) formula, valid only below ε = 1, is not offered.
package struct GaussianMechanism: Sendable, Hashable {
  /// Sensitivity over sigma; larger is less private.
  package let mu: Double

  /// - Throws: `Fault` unless 1e-100 ≤ mu ≤ 1e100.
  package init(mu: Double) throws {
    guard mu >= 1e-100, mu <= 1e100 else { throw invalid("sensitivity / sigma must be positive and finite, got \(mu)") }
    self.mu = mu
  }

  /// Noise of standard deviation `sigma` per coordinate on a release whose L2 sensitivity is `sensitivity`, in the same unit.
  package init(sigma: Double, sensitivity: Double) throws {
    guard sigma > 0, sigma.isFinite else { throw invalid("sigma must be positive and finite, got \(sigma)") }
    guard sensitivity > 0, sensitivity.isFinite else { throw invalid("the sensitivity must be positive and finite, got \(sensitivity)") }
    try self.init(mu: sensitivity / sigma)
  }

  /// The mechanism with the least noise that is (ε, δ)-private.
  package init(epsilon: Double, delta: Double) throws {
    let target = log(try checked(delta: delta))
    let epsilon = try checked(epsilon: epsilon)
    // ln δ(ε, mu) grows with mu; find it in log mu between bounds 1e-100 and 1e100.
    let logMu = bisect(log(1e-100), log(1e100)) { Self.logDelta(epsilon: epsilon, mu: exp($0)) < target }
    try self.init(mu: exp(logMu))
  }

  /// Noise per coordinate for an L2 sensitivity, in its unit.
  package func sigma(sensitivity: Double) -> Double { sensitivity / mu }

  /// `count` releases, each with this mechanism and fresh noise: mu·sqrt(count), exact.
  package func composed(_ count: Int) throws -> GaussianMechanism {
    guard count > 0 else { throw invalid("the number of releases must be positive, got \(count)") }
    return try GaussianMechanism(mu: mu * Double(count).squareRoot())
  }

  /// Several releases of the same input: mu² adds, exactly.
  package static func composition(of mechanisms: [GaussianMechanism]) throws -> GaussianMechanism {
    try GaussianMechanism(mu: mechanisms.reduce(0) { hypot($0, $1.mu) })
  }

  /// δ at a given ε ≥ 0: Φ(mu/2 - ε/mu) - e^ε Φ(-mu/2 - ε/mu).
  package func delta(epsilon: Double) throws -> Double { exp(try logDelta(epsilon: epsilon)) }

  /// ln δ at a given ε ≥ 0; finite where δ itself underflows. Relative error of δ about 1e-15 / mu, and 1e-15 at ε = 0.
  package func logDelta(epsilon: Double) throws -> Double { Self.logDelta(epsilon: try checked(epsilon: epsilon), mu: mu) }

  /// The smallest ε for which the mechanism is (ε, δ)-private; 0 < δ < 1.
  package func epsilon(delta: Double) throws -> Double {
    let target = log(try checked(delta: delta))
    if Self.logDelta(epsilon: 0, mu: mu) <= target { return 0 }
    // δ(ε) ≤ Φ(mu/2 - ε/mu), so this ε is large enough.
    let bound = mu * (mu / 2 - StandardNormal.quantile(delta))
    return bisect(0, bound * (1 + 1e-12)) { Self.logDelta(epsilon: $0, mu: mu) > target }
  }

  /// With a = mu/2 - ε/mu and x = mu/2 + ε/mu, e^ε φ(x) = φ(a): hence δ = φ(a)·(R(-a) - R(x)) with the Mills ratio R, and no e^ε is ever formed.
  private static func logDelta(epsilon: Double, mu: Double) -> Double {
    if epsilon == 0 { return log(erf(mu / 8.0.squareRoot())) }
    let a = mu / 2 - epsilon / mu
    let x = mu / 2 + epsilon / mu
    if a > 0 { return log(max(0, StandardNormal.cumulative(a) - StandardNormal.density(a) * StandardNormal.millsRatio(x))) }
    let difference = StandardNormal.millsRatio(-a) - StandardNormal.millsRatio(x)
    return difference > 0 ? -0.5 * a * a - StandardNormal.logSqrtTwoPi + log(difference) : -.infinity
  }
}

func invalid(_ message: String, hint: String? = nil) -> Fault { Fault(.invalidData, message, hint: hint) }

func checked(delta: Double) throws -> Double {
  guard delta > 0, delta < 1 else { throw invalid("delta must lie between 0 and 1, got \(delta)") }
  return delta
}

func checked(epsilon: Double) throws -> Double {
  guard epsilon >= 0, epsilon.isFinite else { throw invalid("epsilon must be non-negative and finite, got \(epsilon)") }
  return epsilon
}
