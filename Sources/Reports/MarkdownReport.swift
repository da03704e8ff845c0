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
    out += "**\(escaped(verdict.headline))**\n\n" + verdict.details.map { "- \(escaped($0))\n" }.joined() + "\n"
    for warning in record.warnings.prefix(20) { out += "> Warning: \(escaped(truncated(warning, to: 400).text))\n\n" }
    out += table(findings, UtilityScores(record, findings))
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
          best.score.gain.map(metric.difference) ?? "–",
        ]
        if let cost { row.append(utility.value(panel, level, cost).map { cost.text($0.mean) } ?? "–") }
        out += "| " + row.map(escaped).joined(separator: " | ") + " |\n"
      }
    }
    return out + "\n"
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
