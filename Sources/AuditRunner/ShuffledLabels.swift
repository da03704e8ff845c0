import Audit
import LeakageMetrics

/// The control against an attack that is told the truth on another way than the states, by a label or a side effect of the scorer: one that learnt
/// from shuffled labels must do no better than chance. Private text inside the public text would not show: its labels are shuffled too.
enum ShuffledLabels {
  /// Attacks whose labels are shuffled: those of this name, whatever settings their label carries.
  static let name = "shuffled-inverter"

  /// One control per such attack. Chance is the upper end of the 95 % interval of `unigram`, the best guess without looking that needs no model, on the
  /// documents that the attack read.
  static func controls(_ scored: [Scoring.Scored], unigram: [ScoredDocument], cell: String, seed: UInt64) -> [ShuffledControl] {
    scored.filter { $0.attack == name || $0.attack.hasPrefix(name + "-") }.compactMap { attack in
      let own = attack.chosen.map { $0.map { unigram[$0] } } ?? unigram
      guard let chance = TokenAccuracy().estimate(own, seed: seed) else { return nil }
      return TokenAccuracy().estimate(attack.documents, seed: seed).map {
        ShuffledControl(cell: cell, attack: attack.attack, accuracy: $0.mean, chance: chance.upper)
      }
    }
  }
}
