import Audit
import SplitLearning

extension PreparedDefense {
  /// A defense without noise, whose secret is all that it has.
  /// - Parameter unit: what the record gives in the place of a noise unit.
  init(secret protector: any SecretBasis, _ statement: NoiseStatement, unit: String) {
    self.init(
      protector: protector, statement: statement,
      units: [
        SettingKey.defense: .string(statement.defense), SettingKey.noiseUnit: .string(unit), SettingKey.sigma: .number(0),
        SettingKey.meanAbsolute: .number(0), SettingKey.relative: .number(0),
      ])
  }
}
