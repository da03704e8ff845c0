package import Audit

/// What a run prints when it is done: the verdict and one line a cell.
package enum TerminalSummary {
  /// The strongest attack of each cell beside the best guess, at most `width` columns; no escape sequence unless `color`.
  package static func render(_ record: AuditRecord, width: Int? = nil, color: Bool = false) -> String {
    let findings = Findings(record)
    let verdict = Verdict(record, findings)
    var out = record.complete ? "" : "PARTIAL: the run did not finish.\n"
    if record.valid == false {
      out += "INVALID RUN: a control failed. Nothing below may be used.\n"
      for reason in (record.invalidReasons ?? []).prefix(20) { out += wrapped("- " + truncated(reason, to: 400).text, width) }
      out += "\n"
    }
    out += wrapped(verdict.headline, width) + verdict.details.map { wrapped($0, width) }.joined() + "\n"
    guard let metric = findings.primary else { return out }
    let utility = UtilityScores(record, findings)
    let cost = utility.metrics.first
    var table = TerminalTable(
      [
        .init("cut"), .init("noise"), .init("σ", .right, givesWay: 2), .init("SNR dB", .right, givesWay: 1), .init("best attack"),
        .init(metric.title.lowercased(), .right),
        .init("95 %", .right), .init("guess", .right), .init("bits/token", .right, givesWay: 4), .init("exact", .right, givesWay: 3),
      ] + (cost.map { [.init($0.title.lowercased(), .right, givesWay: 5)] } ?? []))
    for panel in findings.panels {
      for (index, level) in findings.noises(in: panel).enumerated() {
        guard let best = findings.best(panel, level, metric) else { continue }
        let guess = findings.best(panel, level, metric, baselines: true)
        func other(_ metric: Metric) -> String {
          findings.score(panel, level, best.attack, metric).map { metric.text($0.mean) } ?? NumberText.missing
        }
        var cells = [
          panel.title, level.label, level.sigma.map { NumberText.figures($0) } ?? NumberText.missing,
          level.decibels.map { NumberText.fixed($0, 1) } ?? (level.isClean ? "∞" : NumberText.missing), findings.label(best.attack),
          metric.text(best.score.mean), metric.interval(best.score), guess.map { metric.text($0.score.mean) } ?? NumberText.missing,
          other(.bits), other(.exactMatch),
        ]
        if let cost { cells.append(utility.value(panel, level, cost).map { cost.text($0.mean) } ?? NumberText.missing) }
        table.append(.init(cells, startsGroup: index == 0))
      }
    }
    let channels = channels(record, width: width, color: color)
    return out + table.render(width: width, color: color) + channels.table + channels.notes.map { wrapped($0, width) }.joined()
      + controls(record, width)
  }

  /// One line on the controls, one per attack that gave no result.
  private static func controls(_ record: AuditRecord, _ width: Int?) -> String {
    var out = ""
    if let controls = record.controls, record.valid == true {
      let leaks = controls.plantedLeaks.map(\.accuracy).min().map { "planted leak found (\(NumberText.percent($0)) of its tokens)" }
      let shuffled = controls.shuffled.map(\.accuracy).max().map { "shuffled labels at chance (\(NumberText.percent($0)))" }
      out += wrapped("controls: " + [leaks, shuffled].compactMap { $0 }.joined(separator: ", "), width)
    }
    for reference in record.references ?? [] {
      for attack in reference.attacks {
        out += wrapped(
          "Bayes reference, \(reference.cell): \(NumberText.percent(reference.accuracy)) of \(reference.positions) positions; \(attack.attack) "
            + "\(HTMLReport.shortfall(attack)) points behind", width)
      }
    }
    for line in inferred(record) { out += wrapped(line, width) }
    for failure in (record.failures ?? []).prefix(20) {
      out += wrapped("FAILED: \(failure.attack) in \(failure.cell): \(truncated(failure.message, to: 300).text)", width)
    }
    return out
  }

  /// One paragraph, broken at spaces; untrusted controls are made visible.
  private static func wrapped(_ text: String, _ width: Int?) -> String {
    var (lines, line) = ([String](), "")
    for word in visibleScalars(text).split(separator: " ") {
      if let width, !line.isEmpty, displayWidth(line) + 1 + displayWidth(String(word)) > width {
        lines.append(line)
        line = String(word)
      } else {
        line += line.isEmpty ? String(word) : " " + word
      }
    }
    return (lines + [line]).map { $0 + "\n" }.joined()
  }
}
