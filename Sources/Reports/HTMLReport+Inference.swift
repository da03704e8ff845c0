import Audit

extension HTMLReport {
  /// What can be inferred about documents without reading them; empty for a record without such attacks.
  var inferred: Markup {
    guard let results = record.inference, !results.isEmpty else { return "" }
    let alarms = InferenceText.alarms(results).map { "<li>\(truncated($0, to: 400).text)</li>" as Markup }
    let banner: Markup =
      alarms.isEmpty ? "" : "<div class=\"banner\" role=\"alert\"><strong>Look at this first</strong><ul>\(alarms)</ul></div>"
    var order: [String] = []
    for result in results where !order.contains(result.cell) { order.append(result.cell) }
    let tables = order.map { cell -> Markup in
      let rows = results.filter { $0.cell == cell }.map { result -> Markup in
        let cells = InferenceText.cells(result)
        let style: Markup = result.isControl ? " class=\"baseline\"" : ""
        let numbers = cells.dropFirst(2).map { cell -> Markup in
          if cell.note == "FAIL" { return "<td class=\"num\"><strong>\(cell.text) FAIL</strong></td>" }
          let note: Markup = cell.note.isEmpty ? "" : "<span class=\"ci\">\(cell.note)</span>"
          return "<td class=\"num\">\(cell.text)\(note)</td>"
        }
        return "<tr\(style)><th scope=\"row\">\(cells[0].text)</th><td>\(cells[1].joined)</td>\(numbers)</tr>"
      }
      let head = InferenceText.columns.enumerated().map { index, title -> Markup in
        index < 2 ? "<th scope=\"col\">\(title)</th>" : "<th scope=\"col\" class=\"num\">\(title)</th>"
      }
      return "<h3>\(cell)</h3>"
        + scrolling(
          "Inference in \(cell)",
          "<table class=\"matrix attacks\"><thead><tr>\(head)</tr></thead><tbody class=\"rows\">\(rows)</tbody></table>")
    }
    let theory = InferenceText.theory(results).map { "<li>\($0)</li>" as Markup }
    let beside: Markup =
      theory.isEmpty ? "" : "<h3>Beside theory</h3><p>With Gaussian noise the best possible attack is known exactly.</p><ul>\(theory)</ul>"
    return "<p>\(InferenceText.explanation)</p>\(banner)\(tables)\(beside)"
  }
}

extension MarkdownReport {
  /// The same as a Markdown section.
  static func inferred(_ record: AuditRecord) -> String {
    guard let results = record.inference, !results.isEmpty else { return "" }
    var out = "## What can be inferred\n\n\(escaped(InferenceText.explanation))\n\n"
    for alarm in InferenceText.alarms(results) { out += "> **\(escaped(alarm))**\n\n" }
    out += "| Cell | " + InferenceText.columns.map(escaped).joined(separator: " | ") + " |\n| --- | --- | --- |"
    out += InferenceText.columns.dropFirst(2).map { _ in " --: |" }.joined() + "\n"
    for result in results {
      out += "| " + ([result.cell] + InferenceText.cells(result).map(\.joined)).map(escaped).joined(separator: " | ") + " |\n"
    }
    return out + "\n" + InferenceText.theory(results).map { "- \(escaped($0))\n" }.joined() + "\n"
  }
}

extension TerminalSummary {
  /// One line a result; empty for a record without inference.
  static func inferred(_ record: AuditRecord) -> [String] {
    (record.inference ?? []).map { result in
      let cells = zip(InferenceText.columns, InferenceText.cells(result)).dropFirst(2).filter { $0.1.text != NumberText.missing }
      return "inference, \(result.cell): \(result.test)\(result.isControl ? " (control)" : ""), \(result.question.rawValue): "
        + cells.map { "\($0.0) \($0.1.joined)" }.joined(separator: "; ")
    } + InferenceText.alarms(record.inference ?? [])
  }
}
