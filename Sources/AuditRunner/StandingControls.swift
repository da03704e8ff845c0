import Attacks
package import Audit

/// The controls that every run has, whether its plan names them or not: a score says something only beside those of attacks that cannot have seen the text.
package enum StandingControls {
  /// Guesses without a look: in every cell.
  private static let guesses = [UniformGuess.description, UnigramGuess.description, LanguageModelGuess.description].map(\.name)
  /// Attacks that learn from labelled public states.
  package static let learners: Set<String> = Set(
    [LearnedInverter.description, NoiseAdaptiveInverter.description, AttentionDecoder.description, PooledInverter.description].map(\.name))

  /// The plan's attacks, after the guesses that it does not name.
  package static func completed(_ attacks: [AttackPlan]) -> [AttackPlan] {
    guesses.filter { name in !attacks.contains { $0.name == name } }.map { AttackPlan(name: $0) } + attacks
  }

  /// A sentence for every control among `failures`: a run whose controls say nothing is no valid one.
  package static func missing(_ failures: [AttackFailure]) -> [String] {
    failures.filter { failure in
      (guesses + [ShuffledLabels.name]).contains { failure.attack == $0 || failure.attack.hasPrefix($0 + "-") }
    }.map { "the control \($0.attack) gave no result in \($0.cell): \($0.message)" }
  }

  /// The inverter with shuffled labels, where the plan has attacks that learn and no such control; nil where it needs none. It trains as the first
  /// inverter of the plan does, on the states if any attack learns from these, else on the same cache.
  package static func shuffled(_ plan: AuditPlan) -> AttackPlan? {
    let granted = Set(plan.threatModel.channels)
    let able = plan.attacks.filter { entry in
      Self.learners.contains(entry.name)
        && ((try? AttackRoster.make(entry).reads(of: plan.threatModel.channels)) ?? []).allSatisfy(granted.contains)
    }
    let learners = able.filter { $0.settings["source"]?.label != "cache" } + able.filter { $0.settings["source"]?.label == "cache" }
    let isNamed = plan.attacks.contains { $0.name == ShuffledLabels.name }
    guard !learners.isEmpty, !isNamed else { return nil }
    // A decoder's steps are of another kind.
    let inverter = learners.first { $0.name != AttentionDecoder.description.name }
    let settings = inverter?.settings ?? learners[0].settings.filter { $0.key == "budget_seconds" }
    return AttackPlan(name: ShuffledLabels.name, settings: settings.filter { ShuffledInverter.rules[$0.key] != nil })
  }
}
