/// Attacks of one cell beside the Bayes reference at the same positions: the decision that knows the true prefix, tries every token and has the
/// language model as prior. No attack that decides position by position does better on average under that prior.
package struct ReferenceResult: Sendable, Codable, Equatable {
  package var cell: String
  package var settings: [String: SettingValue]
  /// Positions compared, spread evenly over the documents.
  package var positions: Int
  /// Token accuracy of the reference and its 95 % interval over documents.
  package var accuracy: Double
  package var ci95: [Double]
  package var attacks: [Shortfall]
  package var seconds: Double

  package struct Shortfall: Sendable, Codable, Equatable {
    package var attack: String
    /// Accuracy of the attack at these positions.
    package var accuracy: Double
    /// Reference less attack, paired, with its 95 % interval over documents.
    package var shortfall: Double
    package var ci95: [Double]

    package init(attack: String, accuracy: Double, shortfall: Double, ci95: [Double]) {
      (self.attack, self.accuracy, self.shortfall, self.ci95) = (attack, accuracy, shortfall, ci95)
    }
  }

  package init(
    cell: String, settings: [String: SettingValue], positions: Int, accuracy: Double, ci95: [Double], attacks: [Shortfall], seconds: Double
  ) {
    (self.cell, self.settings, self.positions, self.accuracy, self.ci95) = (cell, settings, positions, accuracy, ci95)
    (self.attacks, self.seconds) = (attacks, seconds)
  }
}
