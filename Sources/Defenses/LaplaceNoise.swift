package import Audit
import Diagnostics
import Kernels
package import Privacy
import SplitLearning

/// h̃ = clip₁(h) + ε, ε Laplace of scale b per coordinate. With a clip in L1 norm, and only then, every token is ε = 2·clip/b differentially
/// private (Dwork et al. 2006, substitution): pure, no δ. Without it, as VFLAIR-LLM ships it, there is no ε.
package struct LaplaceNoise: Defense {
  package static let description = MethodDescription(
    name: "laplace",
    summary: "independent Laplace noise on every hidden state that leaves the client, optionally after clipping in L1 norm",
    paper: "Dwork et al. 2006; VFLAIR-LLM (2025) without the clip", deviations: "the clip, and ε only with it",
    cost: "one draw per coordinate",
    knowledge: .k0, channels: [.inputHiddenStates],
    settings: [
      "relative": "mean|noise| / mean|state| at the cut, measured on public text", "mean_abs": "mean|noise| = b",
      "sigma": "standard deviation = b·√2", "clip": "L1 bound on each token's state",
    ])
  package static let takesNoise = true
  package static let rules: [String: SettingRule] = [:]

  private let amount: NoiseAmount?
  private let clip: Double?

  package init(_ plan: DefensePlan) throws {
    if case .privacy = plan.noise {
      throw Fault(
        .invalidData, "laplace: noise is given as mean_abs, sigma or relative, not as epsilon with delta",
        hint: "with a clip, epsilon per token is 2·clip/mean_abs: choose mean_abs for it")
    }
    (amount, clip) = (plan.noise, plan.clip)
  }

  package func prepared(for statistics: StateStatistics, seed: UInt64) throws -> PreparedDefense {
    let root = 2.0.squareRoot()
    let (sigma, unit): (Double, String) =
      switch amount {
      case .meanAbsolute(let b): (b * root, "mean_abs")
      case .sigma(let sigma): (sigma, "sigma")
      case .relative(let ratio): (ratio * statistics.meanAbsolute * root, "relative")
      case nil, .privacy: (0, "none")
      }
    let b = sigma / root
    var units: [String: SettingValue] = [
      SettingKey.defense: .string(Self.description.name), SettingKey.noiseUnit: .string(unit), SettingKey.sigma: .number(sigma),
      SettingKey.meanAbsolute: .number(b), SettingKey.relative: .number(b / statistics.meanAbsolute),
    ]
    units[SettingKey.clip] = clip.map { .number($0) }
    if let clip, b > 0 { (units[SettingKey.epsilon], units[SettingKey.delta]) = (.number(2 * clip / b), .number(0)) }
    let statement = NoiseStatement(defense: Self.description.name, law: sigma > 0 ? .laplace : .none, sigma: sigma, clip: clip, norm: .l1)
    return PreparedDefense(protector: LawProtector(statement, seed: seed), statement: statement, units: units)
  }
}
