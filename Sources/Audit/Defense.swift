package import Privacy
package import SplitLearning

/// Protects what the client sends. Adding one: a file in Defenses and a line in its Catalog.
package protocol Defense: Sendable {
  static var description: MethodDescription { get }
  /// Whether a plan gives it an amount of noise, in one of four units.
  static var takesNoise: Bool { get }
  /// Rules for its settings beside the noise.
  static var rules: [String: SettingRule] { get }
  /// Reads its knobs from a plan's `defense` mapping, which has been checked against `rules`.
  init(_ plan: DefensePlan) throws
  /// Fixes the noise for one cut, from statistics of public text at that cut. Throws when they cannot carry the amount asked for.
  func prepared(for statistics: StateStatistics, seed: UInt64) throws -> PreparedDefense
}

/// A defense with its noise fixed: what the client runs, what the attacker may know, and what the record says (all noise units).
package struct PreparedDefense: Sendable {
  package var protector: any StateProtector
  package var statement: NoiseStatement
  /// Settings of the cell by `SettingKey`.
  package var units: [String: SettingValue]

  package init(protector: any StateProtector, statement: NoiseStatement, units: [String: SettingValue]) {
    (self.protector, self.statement, self.units) = (protector, statement, units)
  }
}
