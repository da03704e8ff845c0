package import Audit

/// Says of every channel what the run found, or why it found nothing.
package enum ChannelFindings {
  /// The metric a channel is judged by: what it can tell.
  static func metric(_ channel: Channel, among measured: Set<String>) -> String {
    let own =
      switch channel {
      case .outputGradients, .inputGradients: "label_accuracy"
      case .outputHiddenStates: "response_accuracy"
      // Which words, where their order may be lost: the measure of the DAGER paper.
      case .queryWeightGradients: "rouge1_f"
      default: "token_accuracy"
      }
    return measured.contains(own) ? own : "token_accuracy"
  }

  package static func of(
    _ plan: AuditPlan, _ results: [CellResult], _ failures: [AttackFailure], inference: [InferenceResult]
  ) -> [ChannelFinding] {
    let readsValues = Set(
      plan.attacks.filter { ((try? AttackRoster.make($0).reads(of: plan.threatModel.channels)) ?? []).contains(.values) }.map(\.label))
    return Channel.allCases.flatMap { channel -> [ChannelFinding] in
      if channel == .lengths, let found = lengths(inference) { return found }
      // Keys and values leak together: what an attack reads from both is filed under the keys, and counts for the values too.
      let own = results.filter {
        $0.gainOverBaseline != nil
          && ($0.channel == channel.rawValue
            || channel == .values && $0.channel == Channel.keys.rawValue && readsValues.contains($0.attack))
      }
      let left = AttacksLeftOut(of: channel, plan)
      let metric = metric(channel, among: Set(own.map(\.metric)))
      let judged = own.filter { $0.metric == metric }
      guard !judged.isEmpty else {
        return [ChannelFinding(channel: channel.rawValue, notApplicable: reason(channel, plan, failures))]
      }
      var order: [String] = []
      for result in judged where !order.contains(result.cell) { order.append(result.cell) }
      return order.map { cell in
        let all = judged.filter { $0.cell == cell }
        // Means of different documents do not compare: of those that read most documents, and of equals the cheaper one.
        let most = all.map(\.n).max()!
        let best = all.filter { $0.n == most }.max { ($0.mean, -$0.seconds) < ($1.mean, -$1.seconds) }!
        var finding = ChannelFinding(
          channel: channel.rawValue, cell: cell, settings: best.settings, metric: metric, attacks: all.count)
        (finding.bestAttack, finding.mean, finding.ci95, finding.n) = (best.attack, best.mean, best.ci95, best.n)
        (finding.gainOverBaseline, finding.gainCI95) = (best.gainOverBaseline, best.gainCI95)
        (finding.seconds, finding.allSeconds) = (best.seconds, all.reduce(0) { $0 + $1.seconds })
        (finding.notAsked, finding.inapplicable) = (left.notAsked, left.inapplicable)
        return finding
      }
    }
  }

  /// Of the traffic's lengths: how many prompts were as long as inferred, above always naming the most frequent length.
  private static func lengths(_ inference: [InferenceResult]) -> [ChannelFinding]? {
    let told = inference.filter { $0.question == .promptLength && !$0.isControl && $0.accuracy != nil }
    guard !told.isEmpty else { return nil }
    return told.map { result in
      var finding = ChannelFinding(
        channel: Channel.lengths.rawValue, cell: result.cell, settings: result.settings, metric: InferenceQuestion.promptLength.rawValue,
        attacks: 1)
      (finding.bestAttack, finding.mean, finding.ci95, finding.n) = (result.test, result.accuracy, result.accuracyCI95, result.n)
      (finding.gainOverBaseline, finding.gainCI95) = (result.majorityBaseline.map { result.accuracy! - $0 }, result.gainCI95)
      (finding.seconds, finding.allSeconds) = (result.seconds, result.seconds)
      return finding
    }
  }

  private static func reason(_ channel: Channel, _ plan: AuditPlan, _ failures: [AttackFailure]) -> String {
    let role = plan.threatModel.role
    if !role.observable.contains(channel) { return "a \(role.rawValue) does not come to see it" }
    if channel == .lengths { return "lengths are read as they are: see what can be inferred, or name metadata-length under inference" }
    let readers = AttackRoster.descriptions.filter { $0.channels.contains(channel) && !$0.isBaseline }.map(\.name)
    if readers.isEmpty, channel != .queries {
      return "no attack of this release reads it: what it tells is in the channels that it is computed from"
    }
    if !plan.threatModel.channels.contains(channel) { return "the plan's threat model does not grant it" }
    let planned = plan.attacks.filter { entry in
      guard let attack = try? AttackRoster.make(entry), !attack.description.isBaseline else { return false }
      return attack.reads(of: plan.threatModel.channels).first == channel
    }.map(\.label)
    guard planned.isEmpty else {
      return failures.first { planned.contains($0.attack) }.map { "\($0.attack): \($0.message)" } ?? "its attacks gave no result"
    }
    if channel == .queries { return "no attack of the plan reads it; cache attacks with tensors: queries-keys-and-values would" }
    return "no attack of the plan reads it; \(readers.joined(separator: ", ")) would"
  }

  /// For every cell with attacks on h̃_A and on what the server computed from it, on the same documents: the best of those that read as many documents
  /// as an attack on the states did, against the best of these.
  package static func checks(_ results: [CellResult]) -> [InternalChannelCheck] {
    let judged = results.filter { $0.metric == "token_accuracy" && $0.gainOverBaseline != nil && $0.ci95.count == 2 }
    return Dictionary(grouping: judged, by: \.cell).sorted { $0.key < $1.key }.flatMap { cell, all -> [InternalChannelCheck] in
      let states = Dictionary(grouping: all.filter { $0.channel == Channel.inputHiddenStates.rawValue }, by: \.n)
      return Channel.allCases.filter(\.isServerInternal).compactMap { channel in
        let own = all.filter { $0.channel == channel.rawValue && states[$0.n] != nil }
        guard let best = own.max(by: { $0.mean < $1.mean }), let state = states[best.n]?.max(by: { $0.mean < $1.mean }) else { return nil }
        return InternalChannelCheck(
          cell: cell, channel: channel.rawValue, attack: best.attack, accuracy: best.mean, stateAccuracy: state.mean, bound: state.ci95[1],
          low: best.ci95[0])
      }
    }
  }
}
