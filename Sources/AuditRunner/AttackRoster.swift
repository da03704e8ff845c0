import Attacks
package import Audit
import Diagnostics

/// All attacks a plan may name: the toolkit's own, and programs of others.
package enum AttackRoster {
  package static var descriptions: [MethodDescription] { AttackCatalog.all.map { $0.description } + [ExternalAttack.description] }

  package static var rules: [String: [String: SettingRule]] {
    var rules = Dictionary(uniqueKeysWithValues: AttackCatalog.all.map { ($0.description.name, $0.rules) })
    rules[ExternalAttack.description.name] = ExternalAttack.rules
    return rules
  }

  /// The attack of a plan, ready to run; a fault for an unknown name or a wrong setting, before anything runs.
  package static func make(_ plan: AttackPlan) throws -> PlannedAttack {
    let made: PlannedAttack =
      plan.name == ExternalAttack.description.name
      ? .external(try ExternalAttack(plan.settings)) : .own(try AttackCatalog.make(plan.name, settings: plan.settings))
    guard plan.documents != nil else { return made }
    if made.description.isBaseline {
      throw Fault(
        .invalidData, "\(plan.label) is what other attacks are measured against: it reads all documents", hint: "remove documents:")
    }
    if case .own(let attack) = made, let channel = attack.reads.first(where: { !$0.isPerToken }) {
      throw Fault(
        .invalidData, "\(plan.label) reads \(channel.rawValue), which has not one row a token: it reads all documents",
        hint: "remove documents:")
    }
    return made
  }
}

/// One attack of a plan.
package enum PlannedAttack: Sendable {
  case own(any Attack)
  case external(ExternalAttack)

  package var description: MethodDescription {
    switch self {
    case .own(let attack): type(of: attack).description
    case .external: ExternalAttack.description
    }
  }

  /// Channels that it opens as it is set, the one that its results are about first; a program of somebody else's is handed all that are granted.
  package func reads(of granted: [Channel]) -> [Channel] {
    switch self {
    case .own(let attack): return attack.reads
    case .external:
      let own = ExternalAttack.description.channels.filter(granted.contains)
      return own + granted.filter { !own.contains($0) && $0 != .lengths }
    }
  }

  /// What the attack made of a view, and what a reader has to be warned of.
  package struct Outcome: Sendable {
    package var reconstruction: Reconstruction
    package var warnings: [String]
  }

  /// Runs the attack. Throws its faults, and what `progress` throws.
  package func reconstruct(
    _ view: AdversaryView, with means: AttackerMeans, _ material: PublicMaterial, progress: (Double) throws -> Void
  ) throws -> Outcome {
    switch self {
    case .own(let attack):
      let found = try attack.reconstruct(view, with: means, progress: progress)
      return Outcome(reconstruction: found, warnings: found.notes.map { "\(description.name): \($0)" })
    case .external(let attack):
      let answer = try attack.reconstruct(view, with: means, material) { try progress(0) }
      let warning =
        "external programs ran without isolation, because this system allows no user namespaces: they could have opened your files"
      return Outcome(reconstruction: answer.reconstruction, warnings: answer.isIsolated ? [] : [warning])
    }
  }
}
