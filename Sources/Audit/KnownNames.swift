/// Every name that a plan may use. The catalogs of attacks, defenses, metrics and data sets fill it; a plan is checked against it.
package struct KnownNames: Sendable {
  package var checkpoints: [String]
  /// Data set name → its splits.
  package var datasets: [String: [String]]
  package var defenses: [String: KnownMethod]
  package var attacks: [String: KnownMethod]
  package var metrics: [String]
  package var inference: [String: KnownMethod]

  package init(
    checkpoints: [String], datasets: [String: [String]], defenses: [String: KnownMethod], attacks: [String: KnownMethod], metrics: [String],
    inference: [String: KnownMethod] = [:]
  ) {
    (self.checkpoints, self.datasets, self.defenses) = (checkpoints, datasets, defenses)
    (self.attacks, self.metrics, self.inference) = (attacks, metrics, inference)
  }
}

/// What a plan may say about one attack or defense.
package struct KnownMethod: Sendable {
  /// Setting name → rule; nil accepts any scalar under any name.
  package var settings: [String: SettingRule]?
  /// A defense that takes exactly one unit of noise (`mean_abs`, `sigma`, `relative`, or `epsilon` with `delta` and `clip`).
  package var takesNoise: Bool
  /// Roles that can carry out an attack; nil for all of them.
  package var roles: [ThreatModel.Role]?
  /// Whether an attack can do without any weights (K0).
  package var isBlackBox: Bool

  package init(
    settings: [String: SettingRule]? = [:], takesNoise: Bool = false, roles: [ThreatModel.Role]? = nil, isBlackBox: Bool = true
  ) {
    (self.settings, self.takesNoise, self.roles, self.isBlackBox) = (settings, takesNoise, roles, isBlackBox)
  }
}

/// The values that one setting accepts; bounds are inclusive.
package enum SettingRule: Sendable, Hashable {
  case integer(ClosedRange<Int>)
  case number(ClosedRange<Double>)
  case choice([String])
  case flag
  case text
  /// A list of texts, or one text that is split at spaces: a command line. Always read as a list of texts, not empty.
  case words
}
