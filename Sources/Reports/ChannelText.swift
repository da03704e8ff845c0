import Audit

/// A channel in words and figures, the same in every report: what the best attack of the audit reads of it, or why nothing is said.
struct ChannelText {
  var channel: Channel
  /// In the cell where the best attack reads most; nil where no cell has a result.
  var most: ChannelFinding?
  /// The most that is read in any cell with noise on the states.
  var underNoise: ChannelFinding?
  /// Why nothing is said, where nothing is.
  var reason: String
  /// Attacks of the release on this channel that the plan left out.
  var notAsked: [String]
  /// Attacks of the release on this channel that have nothing to do in the plan: "name: why".
  var inapplicable: [String]

  static let columns = ["Channel", "Best attack", "Measured", "Read", "Above guessing", "Most, under noise", "Cost"]

  /// Every channel that the record speaks of; empty for one that judges no channels.
  static func all(_ record: AuditRecord) -> [ChannelText] {
    let findings = record.channels ?? []
    return Channel.allCases.compactMap { channel in
      let own = findings.filter { $0.channel == channel.rawValue }
      guard let first = own.first else { return nil }
      let told = own.filter { $0.mean != nil }
      return ChannelText(
        channel: channel, most: told.max { $0.mean! < $1.mean! },
        underNoise: told.filter { !NoisePoint(settings: $0.settings).isClean }.max { $0.mean! < $1.mean! },
        reason: truncated(first.notApplicable ?? "no result", to: 300).text, notAsked: first.notAsked ?? [],
        inapplicable: first.inapplicable ?? [])
    }
  }

  var name: String { HTMLReport.channelNames[channel.rawValue] ?? channel.rawValue }

  /// What follows the name in the order of `columns`; nil where nothing is said.
  var cells: [InferenceText.Cell]? {
    guard let most else { return nil }
    return [
      .init(text: most.bestAttack ?? ""), .init(text: HTMLReport.metricNames[most.metric ?? ""] ?? most.metric ?? ""),
      Self.share(most.mean, most.ci95), Self.share(most.gainOverBaseline, most.gainCI95), Self.share(underNoise?.mean, underNoise?.ci95),
      .init(text: most.seconds.map { NumberText.duration($0) } ?? ""),
    ]
  }

  private static func share(_ mean: Double?, _ interval: [Double]?) -> InferenceText.Cell {
    guard let mean else { return .init(text: NumberText.missing) }
    guard let interval, interval.count == 2 else { return .init(text: NumberText.percent(mean)) }
    return .init(text: NumberText.percent(mean), note: NumberText.percentInterval(interval[0], interval[1]))
  }

  /// What was not asked and what could not be, a sentence each; empty where everything was.
  static func leftOut(_ channels: [ChannelText]) -> [String] {
    func list(_ attacks: KeyPath<ChannelText, [String]>) -> String? {
      let parts = channels.filter { !$0[keyPath: attacks].isEmpty }.map { "\($0.name): \($0[keyPath: attacks].joined(separator: ", "))" }
      return parts.isEmpty ? nil : parts.joined(separator: "; ") + "."
    }
    let asked = list(\.notAsked).map {
      "What a channel gives away is what the best of the attacks that were run reads. Attacks of this release that the plan left out: " + $0
    }
    return [asked, list(\.inapplicable).map { "Attacks of this release that have nothing to do in this plan: " + $0 }].compactMap { $0 }
  }

  /// Whether what the server computes told no more than the states that it computes from; nil where nothing was compared.
  static func inequality(_ record: AuditRecord) -> (holds: Bool, text: String)? {
    guard let checks = record.controls?.internalChannels, !checks.isEmpty else { return nil }
    let broken = checks.count { !$0.passed }
    if broken > 0 {
      return (
        false,
        "In \(broken) of \(checks.count) comparisons an attack on what the server computes beats every attack on the states that it computes from: an attack on the states is missing."
      )
    }
    return (
      true,
      "Keys, values, queries and attention maps are computed from the states, so no attack on them may read more than the best attack on the states: true in all \(checks.count) comparisons of this run (95 % intervals)."
    )
  }
}

extension MarkdownReport {
  /// Every channel in one line; empty where the record judges none.
  static func channels(_ record: AuditRecord) -> String {
    let channels = ChannelText.all(record)
    guard !channels.isEmpty else { return "" }
    var out = "## What each channel gives away\n\n| " + ChannelText.columns.joined(separator: " | ") + " |\n| --- | --- | --- |"
    out += ChannelText.columns.dropFirst(3).map { _ in " --: |" }.joined() + "\n"
    for channel in channels {
      let cells = channel.cells?.map(\.joined) ?? ["not applicable: \(channel.reason)"] + ChannelText.columns.dropFirst(2).map { _ in "" }
      out += "| " + (["\(channel.name) (\(channel.channel.rawValue))"] + cells).map(escaped).joined(separator: " | ") + " |\n"
    }
    for note in ChannelText.leftOut(channels) + [ChannelText.inequality(record)?.text].compactMap({ $0 }) { out += "\n\(escaped(note))\n" }
    return out + "\n"
  }

  static func trade(_ report: HTMLReport) -> String { report.tradeMarkdown(escaped) }
}

extension TerminalSummary {
  /// Every channel that has a result in a line of a table, and what has none; empty unless there is a channel beside the states and the lengths.
  static func channels(_ record: AuditRecord, width: Int?, color: Bool) -> (table: String, notes: [String]) {
    let channels = ChannelText.all(record)
    let told = channels.filter { $0.most != nil }
    guard told.contains(where: { $0.channel != .inputHiddenStates && $0.channel != .lengths }) else { return ("", []) }
    var table = TerminalTable([
      .init("channel"), .init("best attack"), .init("measured", givesWay: 3), .init("read", .right), .init("95 %", .right, givesWay: 2),
      .init("above guess", .right, givesWay: 1), .init("under noise", .right), .init("cost", .right, givesWay: 0),
    ])
    for channel in told {
      guard let cells = channel.cells else { continue }
      table.append(
        .init([
          channel.channel.rawValue, cells[0].text, cells[1].text, cells[2].text, cells[2].note, cells[3].text, cells[4].text, cells[5].text,
        ]))
    }
    let silent = channels.filter { $0.most == nil }.map { "\($0.channel.rawValue): not applicable: \($0.reason)" }
    return (
      "\n" + table.render(width: width, color: color),
      silent + ChannelText.leftOut(channels) + [ChannelText.inequality(record)?.text].compactMap { $0 }
    )
  }
}
