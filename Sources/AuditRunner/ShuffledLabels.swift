import Audit
import LeakageMetrics

/// The control against a leak of the truth into training: an attack that learnt from shuffled labels must do no better than chance.
enum ShuffledLabels {
  /// Attacks whose labels are shuffled: those of this name, whatever settings their label carries.
  static let name = "shuffled-inverter"

  /// One control per such attack. Chance is the upper end of the 95 % interval of `unigram`, the best guess without looking that needs no model.
  static func controls(_ scored: [Scoring.Scored], unigram: [ScoredDocument], cell: String, seed: UInt64) -> [ShuffledControl] {
    guard let chance = TokenAccuracy().estimate(unigram, seed: seed) else { return [] }
    return scored.filter { $0.attack == name || $0.attack.hasPrefix(name + "-") }.compactMap { attack in
      TokenAccuracy().estimate(attack.documents, seed: seed).map {
        ShuffledControl(cell: cell, attack: attack.attack, accuracy: $0.mean, chance: chance.upper)
      }
    }
  }
}
