package import Audit
package import Privacy
import SplitLearning

/// States are sent as they are: what the released FedSEA code does at inference.
package struct NoDefense: Defense {
  package static let description = MethodDescription(
    name: "none", summary: "states are sent as they are", paper: "the released FedSEA-LLaMA code at inference", cost: "none",
    knowledge: .k0,
    channels: [.inputHiddenStates])
  package static let takesNoise = false
  package static let rules: [String: SettingRule] = [:]

  package init(_ plan: DefensePlan) throws {}

  package func prepared(for statistics: StateStatistics, seed: UInt64) throws -> PreparedDefense {
    PreparedDefense(
      protector: Unprotected(), statement: .none,
      units: [
        SettingKey.defense: .string(Self.description.name), SettingKey.noiseUnit: .string("none"), SettingKey.sigma: .number(0),
        SettingKey.meanAbsolute: .number(0), SettingKey.relative: .number(0),
      ])
  }
}
