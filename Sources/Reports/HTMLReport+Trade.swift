import Audit

/// One partition depth of the picture: leakage and task accuracy at every noise level.
struct TradePanel {
  var title: String
  var points: [Point]

  struct Point {
    var relative: Double
    /// Mean over seeds, and the widest interval.
    var leakage: (mean: Double, low: Double, high: Double)?
    var task: (mean: Double, low: Double, high: Double)?
    var taskSeeds: Int
  }
}

extension HTMLReport {
  /// The picture that the audit exists for: what the best attack reads, and what the fine-tuned split model can still do, over noise and depth.
  var trade: Markup {
    let panels = tradePanels
    guard let task = record.task, !task.isEmpty, !panels.isEmpty else { return "" }
    let name = task[0].task
    let central = task.filter { $0.partitionInput >= record.checkpoint.blocks }
    let centralText: Markup =
      central.isEmpty
      ? ""
      : """
       Centralized, without a split, the model reaches \(NumberText.percent(central.reduce(0) { $0 + $1.after } / Double(central.count))) \
      (dotted line).
      """
    let sources = Set(task.map(\.source)).sorted().map { "<li>\(truncated($0, to: 200).text)</li>" as Markup }
    // Panels of one picture have one scale.
    let columns = panels.map(\.points.count).max() ?? 0
    let figures = panels.map { panel in
      "<figure><h3>\(panel.title)</h3>\(chart(panel, columns: columns, central: central))</figure>" as Markup
    }
    return """
      <p>Solid: the share of the private text that the best attack reads from the states that the client sends; the table of \
      channels says what the others give away. Dashed: the accuracy of the split model on the task “\(name)”, fine-tuned with \
      that noise in training and when judged. A defense is worth having where the solid line is low and the dashed line high.\(centralText)</p>
      <ul class="legend"><li class="first"><span class="swatch">\(Self.swatch("s0", dashed: false))</span>text read from the states by the best attack</li>\
      <li><span class="swatch">\(Self.swatch("s1", dashed: true))</span>task accuracy after fine-tuning</li></ul>
      <div class="panels">\(figures)</div>
      \(tradeTable)
      \(tradeNotes.map { "<p class=\"note\">\($0)</p>" as Markup })
      <p class="note">Task accuracies come from:</p><ul class="note">\(sources)</ul>
      """
  }

  var tradePanels: [TradePanel] {
    guard let task = record.task, let channels = record.channels else { return [] }
    let states = channels.filter { $0.channel == Channel.inputHiddenStates.rawValue && $0.mean != nil }
    func partition(_ finding: ChannelFinding) -> Int? { finding.settings["model.partition.input"]?.number.flatMap { Int(exactly: $0) } }
    let depths = Set(states.compactMap(partition)).sorted()
    return depths.compactMap { depth in
      let own = states.filter { partition($0) == depth }
      let judged = task.filter { $0.partitionInput == depth }
      // Measured levels differ from the asked one in the last digits.
      func level(_ x: Double) -> Double { (1000 * x).rounded() / 1000 }
      let levels = Set((own.compactMap { NoisePoint(settings: $0.settings).relative } + judged.compactMap(\.relative)).map(level)).sorted()
      let points = levels.map { wanted in
        let leaks = own.filter { NoisePoint(settings: $0.settings).relative.map { level($0) == wanted } ?? false }
        let scores = judged.filter { $0.relative.map { level($0) == wanted } ?? false }
        return TradePanel.Point(
          relative: wanted, leakage: Self.pooled(leaks.map { ($0.mean!, $0.ci95 ?? []) }),
          task: Self.pooled(scores.map { ($0.after, $0.ci95) }),
          taskSeeds: scores.count)
      }
      return points.contains { $0.leakage != nil && $0.task != nil } ? TradePanel(title: "p = \(depth)", points: points) : nil
    }
  }

  /// What the picture does not show, one sentence each.
  var tradeNotes: [String] {
    let panels = tradePanels
    guard !panels.isEmpty, let channels = record.channels else { return [] }
    var out: [String] = []
    if case .map(let plan) = record.plan, case .map? = plan["victim"] {
      // The victim was fine-tuned, if on other texts.
    } else {
      out.append(
        "The attacked weights are the published ones and the texts those of this audit; task accuracies are of fine-tuned weights on the task's own texts."
      )
    }
    let holes = panels.compactMap { panel -> String? in
      let levels = panel.points.filter { $0.task == nil }.map { NumberText.significant($0.relative, 3) }
      return levels.isEmpty ? nil : "\(panel.title) at \(levels.joined(separator: ", "))"
    }
    let depths = Set(channels.compactMap { $0.mean == nil ? nil : $0.settings["model.partition.input"]?.number }).sorted()
    let absent = depths.map { "p = \(NumberText.significant($0, 3))" }.filter { title in !panels.contains { $0.title == title } }
    let missing = holes + absent.map { "\($0) at every level, so it is not drawn" }
    if !missing.isEmpty { out.append("No task accuracy was measured for \(missing.joined(separator: "; ")).") }
    return out
  }

  private static func pooled(_ values: [(mean: Double, interval: [Double])]) -> (mean: Double, low: Double, high: Double)? {
    guard !values.isEmpty else { return nil }
    let mean = values.reduce(0) { $0 + $1.mean } / Double(values.count)
    return (
      mean, values.compactMap(\.interval.first).min() ?? mean,
      values.compactMap { $0.interval.count == 2 ? $0.interval[1] : nil }.max() ?? mean
    )
  }

  private func chart(_ panel: TradePanel, columns: Int, central: [TaskAccuracy]) -> Markup {
    let (left, right, top, height) = (46.0, 12.0, 10.0, 180.0)
    let step = 74.0
    let width = left + right + step * Double(columns)
    func x(_ index: Int) -> Double { left + (Double(index) + 0.5) * step }
    func y(_ value: Double) -> Double { top + height * (1 - min(1, max(0, value))) }
    func c(_ value: Double) -> String { NumberText.coordinate(value) }
    var out: Markup = ""
    for tick in [0, 0.25, 0.5, 0.75, 1] {
      out += """
        <path class="\(tick == 0 ? "axis" : "grid")" d="M\(c(left)) \(c(y(tick)))H\(c(width - right))"/>\
        <text class="tick end" x="\(c(left - 6))" y="\(c(y(tick) + 3.5))">\(NumberText.fixed(100 * tick, 0))\(tick == 1 ? "\u{202F}%" : "")</text>
        """
    }
    if !central.isEmpty {
      let mean = central.reduce(0) { $0 + $1.after } / Double(central.count)
      out += "<path class=\"grid\" style=\"stroke:var(--c1);stroke-dasharray:1 4\" d=\"M\(c(left)) \(c(y(mean)))H\(c(width - right))\"/>"
    }
    func series(_ style: String, dashed: Bool, _ value: (TradePanel.Point) -> (mean: Double, low: Double, high: Double)?) -> Markup {
      var (path, marks, isOpen): (String, Markup, Bool) = ("", "", false)
      for (index, point) in panel.points.enumerated() {
        guard let v = value(point) else { isOpen = false; continue }
        path += "\(isOpen ? "L" : "M")\(c(x(index))) \(c(y(v.mean)))"
        isOpen = true
        marks += """
          <path class="bar" d="M\(c(x(index))) \(c(y(v.low)))V\(c(y(v.high)))"/>\
          <circle class="mark\(dashed ? " hollow" : "")" cx="\(c(x(index)))" cy="\(c(y(v.mean)))" r="4"/>
          """
      }
      let dash: Markup = dashed ? " style=\"stroke-dasharray:6 4\"" : ""
      return "<g class=\"\(style)\"><path class=\"line\" stroke-width=\"2\"\(dash) d=\"\(path)\"/>\(marks)</g>"
    }
    out += series("s1", dashed: true) { $0.task }
    out += series("s0", dashed: false) { $0.leakage }
    for (index, point) in panel.points.enumerated() {
      out +=
        "<text class=\"tick strong mid\" x=\"\(c(x(index)))\" y=\"\(c(top + height + 17))\">\(NumberText.significant(point.relative, 3))</text>"
    }
    out +=
      "<text class=\"tick faint mid\" x=\"\(c(left + (width - left - right) / 2))\" y=\"\(c(top + height + 33))\">noise, mean|ε| / mean|h|</text>"
    let label = "Leakage and task accuracy against noise at \(panel.title); the numbers are in the table below."
    return "<svg class=\"chart\" viewBox=\"0 0 \(c(width)) \(c(top + height + 40))\" role=\"img\" aria-label=\"\(label)\">\(out)</svg>"
  }

  private var tradeTable: Markup {
    func text(_ value: (mean: Double, low: Double, high: Double)?) -> Markup {
      value.map {
        "\(NumberText.percent($0.mean)) <span class=\"ci\">\(NumberText.percentInterval($0.low, $0.high))</span>"
      } ?? "–"
    }
    let rows = tradePanels.flatMap { panel in
      panel.points.map { point -> Markup in
        """
        <tr><th scope="row">\(panel.title)</th><td class="num">\(NumberText.significant(point.relative, 3))</td><td class="num">\(text(point.leakage))</td>\
        <td class="num">\(text(point.task))</td><td class="num">\(point.taskSeeds)</td></tr>
        """
      }
    }
    return scrolling(
      "Leakage and task accuracy",
      """
      <table><thead><tr><th scope="col">Depth</th><th scope="col" class="num">Noise</th><th scope="col" class="num">Text read</th>\
      <th scope="col" class="num">Task accuracy</th><th scope="col" class="num">Seeds of the task</th></tr></thead><tbody class="rows">\(rows)</tbody></table>
      """)
  }

  /// The table of the picture as Markdown; empty without a picture.
  func tradeMarkdown(_ escaped: (String) -> String) -> String {
    let panels = tradePanels
    guard let task = record.task?.first, !panels.isEmpty else { return "" }
    func text(_ value: (mean: Double, low: Double, high: Double)?) -> String {
      value.map { "\(NumberText.percent($0.mean)) \(NumberText.percentInterval($0.low, $0.high))" } ?? NumberText.missing
    }
    var out = "## Leakage and task accuracy\n\n| Depth | Noise | Text read from the states | \(escaped(task.task)) | Seeds of the task |\n"
    out += "| --- | --: | --: | --: | --: |\n"
    for panel in panels {
      for point in panel.points {
        let cells = [
          panel.title, NumberText.significant(point.relative, 3), text(point.leakage), text(point.task), String(point.taskSeeds),
        ]
        out += "| " + cells.map(escaped).joined(separator: " | ") + " |\n"
      }
    }
    return out + tradeNotes.map { "\n\(escaped($0))\n" }.joined() + "\n"
  }

  private static func swatch(_ style: String, dashed: Bool) -> Markup {
    let dash: Markup = dashed ? " style=\"stroke-dasharray:6 4\"" : ""
    return
      "<svg width=\"28\" height=\"10\" class=\"\(style)\" aria-hidden=\"true\"><path class=\"line\" stroke-width=\"2\"\(dash) d=\"M1 5H27\"/></svg>"
  }
}
