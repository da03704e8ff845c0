import Attacks
package import Audit

/// What a plan cannot find out, told before hours are spent on it rather than in its record.
package enum PlanReview {
  /// One sentence each: attacks that are not granted what they read or are to know, and granted channels that nothing in the plan looks at.
  package static func warnings(_ plan: AuditPlan) throws -> [String] {
    let granted = plan.threatModel.channels
    var (out, read): ([String], Set<Channel>) = ([], [.lengths])
    for entry in plan.attacks {
      let attack = try AttackRoster.make(entry)
      let reads = attack.reads(of: granted)
      read.formUnion(reads)
      let missing = reads.filter { !granted.contains($0) && $0 != .lengths }
      if let first = missing.first {
        out.append("\(entry.label) will give no result: it reads \(first.rawValue), which threat_model.channels does not grant")
      }
      if let reason = AttacksLeftOut.inapplicable(attack.description, plan) { out.append("\(entry.label) has nothing to do: \(reason)") }
      let (needed, known) = (attack.description.knowledge, plan.threatModel.knowledge)
      if needed == .k2, known == .k1 {
        out.append("\(entry.label) is made for \(needed.rawValue), exact weights; at \(known.rawValue) it takes the public ones for them")
      }
    }
    for entry in plan.inference {
      let attack = try InferenceCatalog.make(entry.name, settings: entry.settings)
      if let reason = AttacksLeftOut.inapplicable(type(of: attack).description, plan) {
        out.append("\(entry.label) has nothing to do: \(reason)")
      }
      // Some take the first channel of theirs that there is.
      let reads = attack.challenge == nil ? type(of: attack).description.channels : [.inputHiddenStates]
      read.formUnion(reads)
      if !reads.contains(where: { granted.contains($0) || $0 == .lengths }) {
        let names = reads.map(\.rawValue).joined(separator: " or ")
        out.append("\(entry.label) will give no result: it reads \(names), which threat_model.channels does not grant")
      }
    }
    return out + granted.filter { !read.contains($0) }.map { "\($0.rawValue) is granted, and no attack of the plan reads it" }
  }
}
