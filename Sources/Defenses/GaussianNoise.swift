package import Audit
package import Privacy
import SplitLearning

/// h̃ = clip(h) + ε, ε ~ N(0, σ²) per coordinate, on every state that the client sends: in training and at inference, on prefill and on every
/// decoded token. FedSEA-LLaMA gives the noise as its mean absolute value (σ = mean|ε|·√(π/2)) and does not clip; with a clip, and only then,
/// it is a Gaussian mechanism with an ε.
package struct GaussianNoise: Defense {
  package static let description = MethodDescription(
    name: "gaussian",
    summary: "independent Gaussian noise on every hidden state that leaves the client, optionally after clipping each token",
    paper: "FedSEA-LLaMA (arXiv 2505.15683); Balle & Wang 2018 for epsilon",
    deviations: "the noise is added at inference too, drawn in double precision; clipping and epsilon are ours",
    cost: "one normal draw per coordinate; no byte", knowledge: .k0, channels: [.inputHiddenStates],
    settings: [
      "relative": "mean|noise| / mean|state| at the cut, measured on public text", "mean_abs": "mean|noise|, the paper's unit",
      "sigma": "standard deviation", "epsilon": "with delta and clip: calibrated per token, substitution adjacency (sensitivity 2·clip)",
      "delta": "with epsilon", "clip": "L2 bound on each token's state",
    ])
  package static let takesNoise = true
  package static let rules: [String: SettingRule] = [:]

  private let level: NoiseLevel
  private let clip: Double?
  private let unit: String

  package init(_ plan: DefensePlan) throws {
    clip = plan.clip
    switch plan.noise {
    case nil: (level, unit) = (.none, "none")
    case .meanAbsolute(let value): (level, unit) = (.meanAbsolute(value), "mean_abs")
    case .sigma(let value): (level, unit) = (.sigma(value), "sigma")
    case .relative(let value): (level, unit) = (.relative(value), "relative")
    case .privacy(let epsilon, let delta): (level, unit) = (.epsilon(epsilon, delta: delta, clip: plan.clip ?? 0), "epsilon")
    }
  }

  package func prepared(for statistics: StateStatistics, seed: UInt64) throws -> PreparedDefense {
    let noise = try level.calibrated(for: statistics)
    var units: [String: SettingValue] = [
      SettingKey.defense: .string(Self.description.name), SettingKey.noiseUnit: .string(unit), SettingKey.sigma: .number(noise.sigma),
      SettingKey.meanAbsolute: .number(noise.meanAbsolute), SettingKey.relative: .number(noise.relative),
    ]
    units[SettingKey.signalToNoise] = noise.signalToNoise.map { .number($0) }
    units[SettingKey.signalToNoiseDecibels] = noise.signalToNoiseDecibels.map { .number($0) }
    units[SettingKey.epsilon] = noise.epsilonPerToken.map { .number($0) }
    units[SettingKey.delta] = noise.delta.map { .number($0) }
    units[SettingKey.clip] = clip.map { .number($0) }
    let active = noise.sigma > 0 || clip != nil
    let statement =
      active
      ? NoiseStatement(defense: Self.description.name, law: noise.sigma > 0 ? .gaussian : .none, sigma: noise.sigma, clip: clip) : .none
    return PreparedDefense(protector: LawProtector(statement, seed: seed), statement: statement, units: units)
  }
}
