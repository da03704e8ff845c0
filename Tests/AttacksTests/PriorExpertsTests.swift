import Attacks
import Foundation
import Testing

/// How the language model and the unigram share the prior of the next token.
@Suite struct PriorExpertsTests {
  private static let evidence: [(language: Double, unigram: Double)] = [
    (-3, -5), (-9, -4), (-8, -4.5), (-2, -6), (-700, -1), (-3, -3.2), (-1, -900),
  ]

  /// The weight is what summing over every history of "which expert was the better one" gives.
  @Test func theWeightIsTheForwardPassOfASwitchingChain() {
    let steps = Self.evidence.count
    var experts = PriorExperts(weight: 0.9)
    for step in Self.evidence { experts.learn(language: step.language, unigram: step.unigram) }
    var mass = [0.0, 0.0]
    for history in 0..<(1 << (steps + 1)) {
      let states = (0...steps).map { history >> $0 & 1 }
      var p = states[0] == 0 ? 0.9 : 0.1
      for t in 0..<steps {
        p *= exp(states[t] == 0 ? Self.evidence[t].language : Self.evidence[t].unigram)
        p *= states[t + 1] == states[t] ? 1 - PriorExperts.share / 2 : PriorExperts.share / 2
      }
      mass[states[steps]] += p
    }
    #expect(abs(experts.weight - mass[0] / (mass[0] + mass[1])) < 1e-9, "\(experts.weight), \(mass)")
  }

  @Test func noEvidenceSilencesAnExpertForGood() {
    for (language, unigram) in [(0, -.infinity), (-.infinity, 0), (-.infinity, -.infinity), (1e300, -1e300), (.nan, 0)]
      as [(Double, Double)]
    {
      var experts = PriorExperts()
      for _ in 0..<50 { experts.learn(language: language, unigram: unigram) }
      #expect(experts.weight >= PriorExperts.share / 2 && experts.weight <= 1 - PriorExperts.share / 2, "\(language), \(unigram)")
    }
    var lost = PriorExperts()
    for _ in 0..<20 { lost.learn(language: -10, unigram: -3) }
    #expect(lost.weight < 0.03)
    for _ in 0..<3 { lost.learn(language: -3, unigram: -6) }
    #expect(lost.weight > 0.9, "three tokens that the language model foresaw bring it back: \(lost.weight)")
  }

  @Test(arguments: [0.025, 0.5, 0.9]) func theMixtureIsADistribution(weight: Double) {
    func distribution(_ power: Double) -> [Float] {
      let raw = (1...500).map { pow(Double($0), -power) }
      let total = raw.reduce(0, +)
      return raw.map { Float(log($0 / total)) }
    }
    let (language, unigram) = (Array(distribution(9).reversed()), distribution(1))
    let mixed = PriorExperts(weight: weight).mixed(language, unigram)
    #expect(abs(mixed.reduce(0.0) { $0 + exp(Double($1)) } - 1) < 1e-5)
    for v in mixed.indices {
      let expected = log(weight * exp(Double(language[v])) + (1 - weight) * exp(Double(unigram[v])))
      #expect(abs(Double(mixed[v]) - expected) < 1e-4)
    }
  }
}
