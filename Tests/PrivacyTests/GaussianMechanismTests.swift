import Diagnostics
import Foundation
import Privacy
import TestSupport
import Testing

@Suite struct GaussianMechanismTests {
  @Test(arguments: [(0.5, "9.997256"), (1, "4.377178"), (2, "1.993091"), (3, "1.271088"), (10, "0.340669")])
  func knownEpsilon(s: Double, epsilon: String) throws {
    #expect(printed(try GaussianMechanism(sigma: s, sensitivity: 1).epsilon(delta: 1e-5), decimals: 6) == epsilon)
  }

  @Test(arguments: [
    (0.5, "7.031827"), (1, "3.730632"), (2, "1.993812"), (4, "1.081162"), (8, "0.600229"), (16, "0.344177"), (32, "0.204935"),
  ])
  func knownSigma(epsilon: Double, s: String) throws {
    #expect(printed(try GaussianMechanism(epsilon: epsilon, delta: 1e-5).sigma(sensitivity: 1), decimals: 6) == s)
  }

  @Test(arguments: [(10.0, 64, "3.38693"), (50, 512, "1.78343"), (100, 512, "0.83044"), (100, 1536, "1.52021")])
  func knownComposition(s: Double, count: Int, epsilon: String) throws {
    let one = try GaussianMechanism(sigma: s, sensitivity: 1)
    let all = try one.composed(count)
    #expect(printed(try all.epsilon(delta: 1e-5), decimals: 5) == epsilon)
    let listed = try GaussianMechanism.composition(of: Array(repeating: one, count: count))
    #expect(relativeError(listed.mu, all.mu) < 1e-12)
  }

  /// What FedSEA's noise would cost if its states were clipped at their usual norm: mu 28 to 422 a token, ε to 4.6e7 for 512 tokens.
  @Test(arguments: [
    (0.022, 0.02, 140.8, 10_512.0, 5.1e6), (0.022, 0.05, 56.32, 1_825, 8.2e5), (0.022, 0.1, 28.16, 516, 2.1e5),
    (0.035, 0.02, 224, 26_042, 1.3e7), (0.035, 0.05, 89.6, 4_395, 2.1e6), (0.035, 0.1, 44.8, 1_194, 5.2e5),
    (0.066, 0.02, 422.4, 91_011, 4.6e7), (0.066, 0.05, 168.96, 14_993, 7.3e6), (0.066, 0.1, 84.48, 3_928, 1.8e6),
  ])
  func hugeEpsilon(meanState: Double, meanNoise: Double, mu: Double, perToken: Double, perSequence: Double) throws {
    let root = (Double.pi / 2).squareRoot()
    let mechanism = try GaussianMechanism(sigma: meanNoise * root, sensitivity: 2 * meanState * root * 64)
    #expect(relativeError(mechanism.mu, mu) < 1e-12)
    #expect(try mechanism.epsilon(delta: 1e-5).rounded() == perToken)
    #expect(printed(try mechanism.composed(512).epsilon(delta: 1e-5) / perSequence, decimals: 1) == "1.0")
  }

  @Test func gradientOption() throws {
    let step = try GaussianMechanism(sigma: 0.02 * (Double.pi / 2).squareRoot(), sensitivity: 0.08)
    #expect(printed(try step.epsilon(delta: 1e-5), decimals: 2) == "18.07")
    #expect(printed(try step.composed(3).epsilon(delta: 1e-5), decimals: 1) == "38.1")
  }

  @Test func curveMatchesSixtyDigits() throws {
    let reference = try Reference.load()
    #expect(reference.curve.count == 65)
    for point in reference.curve {
      let mechanism = try GaussianMechanism(mu: point.mu)
      let epsilon = try mechanism.epsilon(delta: point.delta)
      #expect(relativeError(epsilon, point.epsilon) < 1e-9, "\(point)")
      let renyi = try mechanism.renyiEpsilon(delta: point.delta)
      #expect(renyi >= epsilon, "the Rényi account \(renyi) undercuts the exact \(epsilon) at \(point)")
      #expect(abs(renyi - max(0, point.renyi)) <= 1e-7 * max(1, point.renyi), "\(renyi) \(point)")
    }
    for point in reference.noise {
      #expect(relativeError(try GaussianMechanism(epsilon: point.epsilon, delta: point.delta).mu, point.mu) < 1e-10, "\(point)")
    }
    for point in reference.logDelta {
      #expect(
        abs(try GaussianMechanism(mu: point.mu).logDelta(epsilon: point.epsilon) - point.logDelta) < 1e-8 * max(1, abs(point.logDelta)),
        "\(point)")
    }
  }

  @Test func normalTailsMatchSixtyDigits() throws {
    let reference = try Reference.load()
    for point in reference.normal {
      #expect(relativeError(StandardNormal.logCumulative(point.z), point.logCumulative) < 1e-13, "\(point)")
    }
    for point in reference.quantile {
      #expect(abs(StandardNormal.quantile(point.p) - point.z) < 1e-13 * max(1, abs(point.z)), "\(point)")
    }
    #expect(StandardNormal.quantile(0) == -.infinity && StandardNormal.quantile(1) == .infinity)
  }

  @Test func thereAndBackAgain() throws {
    var random = SplitMix(state: 7)
    for _ in 0..<200 {
      let epsilon = pow10(6 * random.uniform() - 2)
      let delta = pow10(-1 - 12 * random.uniform())
      let mechanism = try GaussianMechanism(epsilon: epsilon, delta: delta)
      #expect(relativeError(try mechanism.epsilon(delta: delta), epsilon) < 1e-9)
      #expect(relativeError(try mechanism.delta(epsilon: epsilon), delta) < 1e-9)
      #expect(try mechanism.composed(2).epsilon(delta: delta) > epsilon)
    }
  }

  @Test func enoughNoiseNeedsNoEpsilon() throws {
    #expect(try GaussianMechanism(mu: 1e-6).epsilon(delta: 1e-5) == 0)
  }

  @Test func refusesNonsense() {
    #expect(throws: Fault.self) { try GaussianMechanism(sigma: 0, sensitivity: 1) }
    #expect(throws: Fault.self) { try GaussianMechanism(sigma: .nan, sensitivity: 1) }
    #expect(throws: Fault.self) { try GaussianMechanism(sigma: 1, sensitivity: -1) }
    #expect(throws: Fault.self) { try GaussianMechanism(mu: .infinity) }
    #expect(throws: Fault.self) { try GaussianMechanism(epsilon: 1, delta: 0) }
    #expect(throws: Fault.self) { try GaussianMechanism(epsilon: -1, delta: 0.1) }
    #expect(throws: Fault.self) { try GaussianMechanism(epsilon: .nan, delta: 0.1) }
    #expect(throws: Fault.self) { try GaussianMechanism(mu: 1).epsilon(delta: 1) }
    #expect(throws: Fault.self) { try GaussianMechanism(mu: 1).composed(0) }
    #expect(throws: Fault.self) { try GaussianMechanism.composition(of: []) }
  }

  /// Any doubles at all: an answer or a `Fault`, never NaN, never a trap.
  @Test func hostileNumbers() {
    var random = SplitMix(state: 11)
    for _ in 0..<5_000 {
      let (a, b) = (Double(bitPattern: random.next()), Double(bitPattern: random.next()))
      let delta = random.next() % 2 == 0 ? random.uniform() : Double(bitPattern: random.next())
      if let mechanism = try? GaussianMechanism(sigma: a, sensitivity: b) {
        for value in [
          try? mechanism.epsilon(delta: delta), try? mechanism.renyiEpsilon(delta: delta), try? mechanism.delta(epsilon: abs(a)),
        ] {
          if let value { #expect(!value.isNaN && value >= 0, "\(a) \(b) \(delta)") }
        }
      }
      if let mechanism = try? GaussianMechanism(epsilon: a, delta: delta) { #expect(mechanism.mu > 0) }
    }
  }
}

private func pow10(_ x: Double) -> Double { pow(10, x) }
