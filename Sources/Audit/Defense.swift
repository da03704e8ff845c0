import Llama
package import SplitLearning

/// Protects what the client sends. Adding one: a file in Defenses and a line in its Catalog.
package protocol Defense: Sendable {
  static var description: MethodDescription { get }
  /// Reads its knobs from a plan's `defense` mapping.
  init(_ settings: [String: SettingValue]) throws
  /// Fixes the noise for one cut, from statistics of public text at that cut.
  /// - Parameter statistics: mean |h|, RMS and width of h_A on public text.
  func prepared(for statistics: CutStatistics, seed: UInt64) throws -> PreparedDefense
}

/// Statistics of the hidden states at a cut, measured on public text.
package struct CutStatistics: Sendable, Hashable, Codable {
  package var meanAbsolute: Double
  package var rootMeanSquare: Double
  package var channels: Int

  package init(meanAbsolute: Double, rootMeanSquare: Double, channels: Int) {
    (self.meanAbsolute, self.rootMeanSquare, self.channels) = (meanAbsolute, rootMeanSquare, channels)
  }
}

/// A defense with its noise fixed: what the client runs, what the attacker may know, and what the record says (all noise units).
package struct PreparedDefense: Sendable {
  package var protector: any StateProtector
  package var statement: NoiseStatement
  package var units: [String: SettingValue]

  package init(protector: any StateProtector, statement: NoiseStatement, units: [String: SettingValue]) {
    (self.protector, self.statement, self.units) = (protector, statement, units)
  }
}
