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

  /// The inverter with shuffled labels, where the plan has attacks that learn and no such control; nil where it needs none. It trains as the first
  /// inverter of the plan does.
  package static func shuffled(_ plan: AuditPlan) -> AttackPlan? {
    let learners = plan.attacks.filter { Self.learners.contains($0.name) }
    let isNamed = plan.attacks.contains { $0.name == ShuffledLabels.name }
    guard !learners.isEmpty, !isNamed, plan.threatModel.channels.contains(.inputHiddenStates) else { return nil }
    // A decoder's steps are of another kind.
    let inverter = learners.first { $0.name != AttentionDecoder.description.name }
    let settings = inverter?.settings ?? learners[0].settings.filter { $0.key == "budget_seconds" }
    return AttackPlan(name: ShuffledLabels.name, settings: settings.filter { ShuffledInverter.rules[$0.key] != nil })
  }
}
