import Attacks
package import Audit
import Datasets

/// What was found on a channel is the best of the attacks that were asked: these begin with it and are not in the plan. Nil where there are none.
package struct AttacksLeftOut {
  /// Names of those that could have been asked.
  package private(set) var notAsked: [String]?
  /// Those that have nothing to do in the plan: "name: why".
  package private(set) var inapplicable: [String]?

  package init(of channel: Channel, _ plan: AuditPlan) {
    let planned = Set(plan.attacks.map(\.name) + plan.inference.map(\.name) + [ExternalAttack.description.name])
    for known in AttackRoster.descriptions + InferenceCatalog.descriptions {
      guard known.channels.first == channel, !known.isBaseline, !planned.contains(known.name) else { continue }
      if let reason = Self.inapplicable(known, plan) {
        inapplicable = (inapplicable ?? []) + ["\(known.name): \(reason)"]
      } else {
        notAsked = (notAsked ?? []) + [known.name]
      }
    }
  }

  /// Why an attack has nothing to do in a plan; nil where it has.
  static func inapplicable(_ attack: MethodDescription, _ plan: AuditPlan) -> String? {
    if let roles = attack.roles, !roles.contains(plan.threatModel.role) {
      return "active, for a \(roles.map(\.rawValue).joined(separator: " or ")) alone"
    }
    if plan.threatModel.knowledge == .k0, attack.knowledge > .k0 { return "it runs weights, which at K0 nobody has" }
    switch attack.occasion {
    case .repeatedSends where plan.dataset.repeats == 1: return "every text is sent once (dataset.repeats)"
    case .membership where plan.dataset.members == nil: return "no document was fine-tuned on (dataset.members)"
    case .answers where plan.dataset.responses == 0: return "the model does not answer (dataset.responses)"
    case .templates where !isFromTemplates(plan): return "prompts are not made from known templates (dataset.name: presidio-templates)"
    default: return nil
    }
  }

  private static func isFromTemplates(_ plan: AuditPlan) -> Bool {
    guard case .named(let name, _) = plan.dataset.source else { return false }
    return name == TextDataset.presidioTemplates.name
  }
}
