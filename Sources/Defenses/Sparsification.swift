package import Audit
import Kernels
package import Privacy
import SplitLearning

/// Only the largest coordinates of each token's state are sent; the others arrive as 0.
package struct Sparsification: Defense {
  package static let description = MethodDescription(
    name: "sparsification", summary: "the largest coordinates of each state are kept, the others set to 0", paper: "top-k sparsification",
    cost: "saves bytes", knowledge: .k0, channels: [.inputHiddenStates],
    settings: ["keep": "share of the coordinates kept, 0...1, default 0.1"])
  package static let takesNoise = false
  package static let rules: [String: SettingRule] = ["keep": .number(1e-6...1)]

  private let keep: Double

  package init(_ plan: DefensePlan) throws { keep = plan.settings["keep"]?.number ?? 0.1 }

  package func prepared(for statistics: StateStatistics, seed: UInt64) throws -> PreparedDefense {
    let kept = max(1, Int((keep * Double(statistics.channels)).rounded()))
    let statement = NoiseStatement(defense: Self.description.name, law: .sparsified, sigma: 0, kept: kept)
    return PreparedDefense(
      protector: LawProtector(statement, seed: seed), statement: statement,
      units: [
        SettingKey.defense: .string(Self.description.name), SettingKey.noiseUnit: .string("kept"), SettingKey.sigma: .number(0),
        SettingKey.meanAbsolute: .number(0), SettingKey.relative: .number(0), "defense.keep": .number(keep),
      ])
  }
}
