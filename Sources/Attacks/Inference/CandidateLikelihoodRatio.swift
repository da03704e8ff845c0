package import Audit
import Diagnostics
import Kernels
import Llama
import SplitLearning

/// The distinguishing game: the attacker knows two texts, one of which was sent, and compares the likelihoods of what it received,
///
///     score = ln p(y | x′) − ln p(y | x) = Σ_t (‖y_t − h(x)_t‖² − ‖y_t − h(x′)_t‖²) / (2σ²)
///
/// over all released positions. With the victim's weights and Gaussian noise nothing does better (Neyman and Pearson 1933), and the answer is known in
/// closed form: AUC Φ(μ/√2).
package struct CandidateLikelihoodRatio: InferenceAttack {
  package static let description = MethodDescription(
    name: "distinguishing-game", summary: "which of two known texts was sent: likelihood ratio over all released states",
    paper: "the game behind differential privacy, as audited by Nasr et al. 2023; Dong, Roth and Su 2019 for the curve",
    deviations: "two public texts, the same pair in every trial; clipped, quantized and sparsified states are compared after the same map",
    cost: "two forwards through p blocks, then one distance a trial", knowledge: .k1, channels: [.inputHiddenStates],
    settings: [
      "trials": "sends, half of each text on average, default 1000", "tokens": "length of both texts, default 16",
      "differ":
        "document (default): two passages; first-token: one substituted token, every later state differs; last-token: one state differs",
    ])

  package static let rules: [String: SettingRule] = [
    "trials": .integer(10...1_000_000), "tokens": .integer(1...4_096),
    "differ": .choice(ChallengeSettings.Difference.allCases.map(\.rawValue)),
  ]

  package let challenge: ChallengeSettings?

  package init(_ settings: [String: SettingValue]) throws {
    let reader = SettingReader(settings, of: Self.description.name)
    challenge = ChallengeSettings(
      trials: try reader.integer("trials", default: 1_000, in: 10...1_000_000),
      tokens: try reader.integer("tokens", default: 16, in: 1...4_096),
      difference: try reader.choice("differ", default: .document))
  }

  package func infer(_ view: AdversaryView, with means: InferenceMeans, progress: (Double) throws -> Void) throws -> [InferenceAnswer] {
    let observation = try view.required(.inputHiddenStates, by: Self.description.name)
    guard let pair = means.candidates else {
      throw Fault(.invalidData, "\(Self.description.name) needs the two texts of a game, and this view is of none")
    }
    let compute = means.attacker.model.compute
    func states(_ text: [Int32]) -> Matrix {
      observation.noise.deterministic(means.attacker.states(of: [text], inputBlocks: view.partition.input), compute)
    }
    let (first, second) = (states(pair.first), states(pair.second))
    let power = first.values.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(max(1, first.values.count))
    // Without noise any positive deviation ranks alike; where it is withheld too, since all trials are of one pair.
    let stated = observation.noise.sigma ?? 0
    let sigma = stated > 0 ? stated : max(1e-3 * power.squareRoot(), 1e-12)
    let isLaplace = observation.noise.law == .laplace
    var scores: [Double] = []
    for trial in 0..<view.documents {
      let rows = view.range(of: trial)
      guard rows.count == first.rows, observation.values.columns == first.columns else {
        throw Fault(.invalidData, "trial \(trial) has \(rows.count) rows, the candidates \(first.rows)")
      }
      let flat = rows.lowerBound * first.columns
      var sum = 0.0
      for i in first.values.indices {
        let y = Double(observation.values.values[flat + i])
        let (a, b) = (y - Double(first.values[i]), y - Double(second.values[i]))
        sum += isLaplace ? 2.0.squareRoot() * (abs(a) - abs(b)) * sigma : (a - b) * (a + b) / 2
      }
      scores.append(sum / (sigma * sigma))
      try progress(Double(trial + 1) / Double(view.documents))
    }
    return [InferenceAnswer(.sentCandidate, .scores(scores, threshold: 0))]
  }
}
