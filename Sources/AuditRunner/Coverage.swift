import Audit

/// The channels of a split LLaMA and what this run says about each: an attack that was not run is not a channel that is safe.
enum Coverage {
  static func of(_ plan: AuditPlan) -> [ChannelCoverage] {
    let attacked = Set(
      plan.attacks.flatMap { attack in AttackRoster.descriptions.first { $0.name == attack.name }?.channels ?? [] }.filter {
        plan.threatModel.channels.contains($0) || $0 == .lengths
      })
    let noisy = plan.defense.name != "none"
    return [
      attacked.contains(.inputHiddenStates)
        ? ChannelCoverage(
          channel: Channel.inputHiddenStates.rawValue, protection: noisy ? .protected : .unprotected,
          note: noisy
            ? "Defense \(plan.defense.name) is applied to every state sent, in training and at inference; the cells without noise send it clean."
            : "Sent as computed.")
        : ChannelCoverage(channel: Channel.inputHiddenStates.rawValue, protection: .notExamined, note: "No attack of this plan reads it."),
      ChannelCoverage(
        channel: Channel.lengths.rawValue, protection: .unprotected,
        note: "The server learns the length of every document; every attack here uses it."),
      ChannelCoverage(
        channel: Channel.outputHiddenStates.rawValue, protection: .notExamined,
        note: "The server computes h_B itself from what it received; response recovery from it is not part of this plan."),
      ChannelCoverage(
        channel: "training gradients", protection: .notExamined, note: "This plan runs inference only; gradients at the cuts carry labels."),
      ChannelCoverage(
        channel: "server-side K, V and attention maps", protection: .notExamined,
        note: "Functions of the received states; they matter when a cache leaks to somebody else."),
    ]
  }
}
