package import Audit
import Foundation
import Kernels
package import Privacy
import SplitLearning

/// States are rounded to multiples of a step before they are sent: fewer bytes, and no noise.
package struct Quantization: Defense {
  package static let description = MethodDescription(
    name: "quantization", summary: "every coordinate is rounded to one of 2^bits steps over ±4 RMS, without saturation",
    paper: "uniform quantization; no privacy claim", cost: "saves bytes", knowledge: .k0, channels: [.inputHiddenStates],
    settings: ["bits": "1...16, default 8: step = 8·RMS / 2^bits, RMS of the states on public text"])
  package static let takesNoise = false
  package static let rules: [String: SettingRule] = ["bits": .integer(1...16)]

  private let bits: Int

  package init(_ plan: DefensePlan) throws { bits = plan.settings["bits"]?.number.map { Int($0) } ?? 8 }

  package func prepared(for statistics: StateStatistics, seed: UInt64) throws -> PreparedDefense {
    let step = 8 * statistics.rootMeanSquare / pow(2, Double(bits))
    let statement = NoiseStatement(defense: Self.description.name, law: .quantized, sigma: 0, step: step)
    return PreparedDefense(
      protector: LawProtector(statement, seed: seed), statement: statement,
      units: [
        SettingKey.defense: .string(Self.description.name), SettingKey.noiseUnit: .string("bits"), SettingKey.sigma: .number(0),
        SettingKey.meanAbsolute: .number(0), SettingKey.relative: .number(0), "defense.bits": .number(Double(bits)),
        "defense.step": .number(step),
      ])
  }
}
