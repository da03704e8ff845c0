package import Audit

/// report.md: the verdict, one table and the hashes, for an issue tracker or a terminal pager.
package enum MarkdownReport {
  /// GitHub-flavoured Markdown in which everything that comes from the record is escaped.
  package static func render(_ record: AuditRecord) -> String {
    let report = HTMLReport(record: record)
    let findings = report.findings
    let verdict = Verdict(record, findings)
    var out = "# Leakage audit: \(escaped(report.title))\n\n"
    if !record.complete { out += "> **Partial result.** The run did not finish; missing settings may leak more.\n\n" }
    if record.valid == false {
      out += "> **INVALID RUN: a control failed. Nothing below may be used.**\n>\n"
      out += (record.invalidReasons ?? []).prefix(20).map { "> - \(escaped(truncated($0, to: 400).text))\n" }.joined() + "\n"
    }
    out += "**\(escaped(verdict.headline))**\n\n" + verdict.details.map { "- \(escaped($0))\n" }.joined() + "\n"
    for warning in record.warnings.prefix(20) { out += "> Warning: \(escaped(truncated(warning, to: 400).text))\n\n" }
    for failure in (record.failures ?? []).prefix(20) {
      out += "> No result: \(escaped(failure.attack)) in \(escaped(failure.cell)): \(escaped(truncated(failure.message, to: 400).text))\n\n"
    }
    out +=
      table(findings, UtilityScores(record, findings)) + channels(record) + trade(report) + everyAttack(findings) + inferred(record)
      + references(record) + controls(record)
    out += "## How to reproduce\n\n"
    let facts: [(String, String)] = [
      ("Run", record.runID), ("Created", record.created), ("Commit", record.commit),
      ("Seed", findings.seeds.isEmpty ? "not stated" : findings.seeds.joined(separator: ", ")),
      (
        "Data",
        "\(record.dataset.name), \(record.dataset.documents) documents, \(record.dataset.tokens) tokens, SHA-256 \(record.dataset.sha256)"
      ),
      ("Model", "\(record.checkpoint.name), SHA-256 \(record.checkpoint.sha256)"), ("Plan", "SHA-256 \(record.planSHA256)"),
      ("Machine", "\(record.host.cpu), \(record.host.threads) threads, \(record.host.engine)"),
    ]
    out += facts.map { "- \($0.0): \(escaped($0.1))\n" }.joined()
    if let command = record.invocation { out += "- Command: \(escaped(command.map(shellQuoted).joined(separator: " ")))\n" }
    out += "\n## Limits\n\n" + HTMLReport.caveats(record, findings).map { "- \(escaped($0))\n" }.joined()
    return out
  }

  private static func table(_ findings: Findings, _ utility: UtilityScores) -> String {
    guard let metric = findings.primary else { return "" }
    let cost = utility.metrics.first
    let head =
      ["Cut", "Noise", "σ", "SNR, dB", "Best attack", metric.title, "95 % interval", "Best guess", "Gain"] + (cost.map { [$0.title] } ?? [])
    var out = "## Strongest attack of each cell\n\n| " + head.map(escaped).joined(separator: " | ") + " |\n|"
    out += head.indices.map { $0 == 2 || $0 == 3 || $0 > 4 ? " --: |" : " --- |" }.joined() + "\n"
    for panel in findings.panels {
      for level in findings.noises(in: panel) {
        guard let best = findings.best(panel, level, metric) else { continue }
        let guess = findings.best(panel, level, metric, baselines: true)
        var row = [
          panel.title, level.label, level.sigma.map { NumberText.figures($0) } ?? "–",
          level.decibels.map { NumberText.fixed($0, 1) } ?? "–",
          findings.label(best.attack), metric.text(best.score.mean), metric.interval(best.score),
          guess.map { metric.text($0.score.mean) } ?? "–",
          best.score.gain.map { metric.gain($0, best.score) } ?? "–",
        ]
        if let cost { row.append(utility.value(panel, level, cost).map { cost.text($0.mean) } ?? "–") }
        out += "| " + row.map(escaped).joined(separator: " | ") + " |\n"
      }
    }
    return out + "\n"
  }

  /// One table a cut: attacks down, noise across, the strongest of each column bold.
  private static func everyAttack(_ findings: Findings) -> String {
    guard let metric = findings.primary else { return "" }
    var out = "## Every attack\n\n\(escaped(metric.title)), 95 % interval over documents in brackets.\n\n"
    for panel in findings.panels {
      let levels = findings.noises(in: panel)
      out += "| \(escaped(panel.title)) | " + levels.map { escaped($0.label) }.joined(separator: " | ") + " |\n| --- |"
      out += levels.map { _ in " --: |" }.joined() + "\n"
      for attack in findings.attacks {
        let cells = levels.map { level -> String in
          guard let score = findings.score(panel, level, attack, metric) else { return "–" }
          let text = escaped("\(metric.text(score.mean)) \(metric.interval(score))")
          return findings.best(panel, level, metric)?.attack == attack ? "**\(text)**" : text
        }
        out += "| \(escaped(findings.label(attack))) | " + cells.joined(separator: " | ") + " |\n"
      }
      out += "\n"
    }
    return out
  }

  private static func references(_ record: AuditRecord) -> String {
    guard let references = record.references, !references.isEmpty else { return "" }
    var out =
      "## Beside the Bayes reference\n\n| cell | attack | positions | reference | attack | behind, points |\n| --- | --- | --: | --: | --: | --: |\n"
    for reference in references {
      for attack in reference.attacks {
        let cells = [
          reference.cell, attack.attack, String(reference.positions), NumberText.percent(reference.accuracy),
          NumberText.percent(attack.accuracy), HTMLReport.shortfall(attack),
        ]
        out += "| " + cells.map(escaped).joined(separator: " | ") + " |\n"
      }
    }
    return out + "\n"
  }

  private static func controls(_ record: AuditRecord) -> String {
    guard let controls = record.controls else { return "" }
    let leaks = controls.plantedLeaks.map {
      "- planted leak, \(escaped($0.partition)): \(escaped($0.attack)) read \(NumberText.percent($0.accuracy)), "
        + "at least \(NumberText.percent($0.threshold)) wanted: \($0.found ? "found" : "**not found**")\n"
    }
    let shuffled = controls.shuffled.map {
      "- shuffled labels, \(escaped($0.cell)): \(escaped($0.attack)) read \(NumberText.percent($0.accuracy)), "
        + "at most \(NumberText.percent($0.chance)) wanted: \($0.passed ? "at chance" : "**better than chance**")\n"
    }
    return "## Controls\n\n" + (leaks + shuffled).joined() + "\n"
  }

  /// Text that Markdown cannot take for markup, on one line.
  static func escaped(_ text: String) -> String {
    var out = ""
    for scalar in visibleScalars(text).unicodeScalars {
      switch scalar {
      case "\n", "\t": out += " "
      case "&": out += "&amp;"
      case "<": out += "&lt;"
      case ">": out += "&gt;"
      case "\\", "`", "*", "_", "[", "]", "|", "#", "~", "!", "$": out += "\\" + String(Character(scalar))
      case "@": out += "&#64;"
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out
  }
}
