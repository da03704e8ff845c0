package import Audit

/// report.html: one self-contained page (no script, no network) that a privacy officer can read and an engineer can check.
package struct HTMLReport {
  let record: AuditRecord
  let samples: [SampleRecord]?
  let showText: Bool
  let findings: Findings
  let utility: UtilityScores

  /// `samples` is nil when the run kept none. Recovered and private text stays hidden unless `showText`.
  package init(record: AuditRecord, samples: [SampleRecord]? = nil, showText: Bool = false) {
    (self.record, self.samples, self.showText) = (record, samples, showText)
    findings = Findings(record)
    utility = UtilityScores(record, findings)
  }

  /// The whole page: HTML that is also well-formed XML. The same record gives the same bytes.
  package func render() -> String {
    let sections: [(id: String, title: String, body: Markup)] = [
      ("glance", "At a glance", glance), ("trade", "Leakage and task accuracy", trade),
      ("channels", "What each channel gives away", channelFindings),
      ("inference", "What can be inferred", inferred), ("controls", "Controls", controlsSection), ("tested", "What was tested", tested),
      ("noise", "Leakage against noise", curves),
      ("absolute", "The same noise in absolute units", absoluteNoise), ("margins", "Why: how far apart tokens are", margins),
      ("utility", "What the noise costs", price), ("samples", "Samples", sampleSection), ("limits", "Limits", limits),
      ("reproduce", "How to reproduce", reproduce), ("attacks", "Every attack", everyAttack),
      ("references", "Beside the Bayes reference", references), ("cells", "All cells", cells),
      ("text-metrics", "Further metrics of the best attack", furtherMetrics), ("settings", "Full settings", settings),
    ].filter { !$0.2.source.isEmpty }
    let links = sections.map { "<a href=\"#\($0.id)\">\($0.title)</a> " as Markup }
    let bodies = sections.map { "<section id=\"\($0.id)\">\n<h2>\($0.title)</h2>\n\($0.body)\n</section>\n" as Markup }
    let sheet = Markup(stringLiteral: ReportStyle.sheet)
    let page: Markup = """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8"/>
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>
      <meta name="viewport" content="width=device-width, initial-scale=1"/>
      <meta name="robots" content="noindex"/>
      <title>Leakage audit: \(title)</title>
      <style>\(sheet)</style>
      </head>
      <body>
      <main>
      \(header)
      <nav aria-label="Sections">\(links)</nav>
      \(bodies)
      </main>
      </body>
      </html>

      """
    return page.source
  }

  var title: String {
    guard case .map(let plan) = record.plan, let name = plan["plan"]?.text, !name.isEmpty else { return record.runID }
    return name
  }

  private var header: Markup {
    let verdict = Verdict(record, findings)
    let details = verdict.details.map { "<li>\(sentence($0))</li>" as Markup }
    var description: Markup = ""
    if case .map(let plan) = record.plan, let text = plan["description"]?.text { description = "<p>\(truncated(text, to: 600).text)</p>" }
    let facts: [(String, String)] = [
      ("Documents", "\(NumberText.grouped(record.dataset.documents)), \(NumberText.grouped(record.dataset.tokens)) tokens"),
      ("Seed", findings.seeds.isEmpty ? "not stated" : findings.seeds.joined(separator: ", ")),
      ("Commit", String(record.commit.prefix(12))),
      ("Controls", record.valid.map { $0 ? "as they must be" : "FAILED: the run is invalid" } ?? "none recorded"),
      ("Created (UTC)", record.created), ("Run", record.runID), ("May enter a leaderboard", record.eligible ? "yes" : "no"),
    ]
    return """
      <p class="eyebrow">Leakage audit of a split language model, by fedsea-audit</p>
      <h1>\(title)</h1>
      \(description)
      \(banner)
      <div class="verdict"><p class="headline">\(sentence(verdict.headline))</p><ul>\(details)</ul></div>
      <dl class="facts">\(facts.map { "<div><dt>\($0.0)</dt><dd>\($0.1)</dd></div>" as Markup })</dl>
      """
  }

  private var banner: Markup {
    var out = validityBanner
    if !record.complete {
      out += """
        <div class="banner" role="note"><strong>Partial result</strong>The run did not finish. What is shown was measured; \
        cells, metrics or controls are missing, and the missing ones may leak more.</div>
        """
    }
    if !record.warnings.isEmpty {
      let items = record.warnings.prefix(20).map { "<li>\(truncated($0, to: 400).text)</li>" as Markup }
      out += "<div class=\"banner\" role=\"note\"><strong>Warnings of the run</strong><ul>\(items)</ul></div>"
    }
    return out
  }
}

/// A sentence whose `[intervals]` do not break across lines.
private func sentence(_ text: String) -> Markup {
  var (out, rest): (Markup, Substring) = ("", text[...])
  while let open = rest.firstIndex(of: "["), let close = rest[open...].firstIndex(of: "]") {
    let end = rest.index(after: close)
    out += "\(String(rest[..<open]))<span class=\"nowrap\">\(String(rest[open..<end]))</span>"
    rest = rest[end...]
  }
  return out + "\(String(rest))"
}

/// A table that scrolls by itself on a narrow screen.
func scrolling(_ label: String, _ table: Markup) -> Markup {
  "<div class=\"scroll\" role=\"region\" aria-label=\"\(label)\" tabindex=\"0\">\(table)</div>"
}
