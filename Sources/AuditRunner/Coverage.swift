import Audit

/// The channels of a split LLaMA and what this run says about each: an attack that was not run is not a channel that is safe.
enum Coverage {
  static func of(_ plan: AuditPlan) -> [ChannelCoverage] {
    let attacked = Set(
      plan.attacks.flatMap { (try? AttackRoster.make($0).reads(of: plan.threatModel.channels)) ?? [] }.filter {
        plan.threatModel.channels.contains($0) || $0 == .lengths
      })
    let noisy = plan.defense.name != "none"
    return Channel.allCases.map { channel in
      if channel == .inputHiddenStates, attacked.contains(channel) {
        return ChannelCoverage(
          channel: channel.rawValue, protection: noisy ? .protected : .unprotected,
          note: noisy
            ? "Defense \(plan.defense.name) is applied to every state sent, in training and at inference; the cells without noise send it clean."
            : "Sent as computed.")
      }
      if channel == .lengths {
        return ChannelCoverage(
          channel: channel.rawValue, protection: .unprotected,
          note: "The server learns the length of every document; every attack here uses it.")
      }
      guard attacked.contains(channel) else {
        return ChannelCoverage(
          channel: channel.rawValue, protection: .notExamined, note: "\(note(channel)) No attack of this plan reads it.")
      }
      let isGuarded = channel == .outputGradients && plan.gradientDefense != nil || (noisy && channel.isServerInternal)
      return ChannelCoverage(channel: channel.rawValue, protection: isGuarded ? .protected : .unprotected, note: note(channel))
    }
  }

  private static func note(_ channel: Channel) -> String {
    switch channel {
    case .inputHiddenStates: "What the client sends."
    case .outputHiddenStates: "The server computes it from what it received; with the last blocks' weights it shows what the model answers."
    case .outputGradients: "Sent back in training; it carries the labels. A knob of its own: noise on the states does not protect it."
    case .inputGradients: "The server computes it from the gradient that it received."
    case .queries, .keys, .values, .attentionMaps:
      "A function of the received states; it matters when the server's memory, disk or cache leaks to somebody else."
    case .queryWeightGradients:
      "Passes through the server when clients average what they train; the defense on the states does not touch it."
    case .lengths: "Seen as they are."
    }
  }
}
