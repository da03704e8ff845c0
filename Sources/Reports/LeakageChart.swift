/// Attack success against noise at one cut, as SVG: one line per attack with its 95 % interval, baselines dashed and grey, and the noise in
/// every unit under the axis.
struct LeakageChart {
  var findings: Findings
  var panel: Findings.Panel
  var metric: Metric

  private static let (left, right, top, plotHeight) = (58.0, 12.0, 12.0, 190.0)
  private static let bottom = 76.0

  /// More lines than this cannot be told apart.
  static let mostAttacks = 6

  /// The strongest attacks and all baselines, in the order of `attacks`.
  static func drawn(_ attacks: [AttackName]) -> [AttackName] {
    let strongest = Set(attacks.filter { !$0.isBaseline }.prefix(mostAttacks))
    return attacks.filter { $0.isBaseline || strongest.contains($0) }
  }

  private var levels: [NoisePoint] { findings.axis.compactMap { findings.level($0, in: panel) } }
  var width: Double { max(380, Self.left + Self.right + 46 * Double(levels.count)) }
  private var height: Double { Self.top + Self.plotHeight + Self.bottom }
  private var step: Double { (width - Self.left - Self.right) / Double(max(1, levels.count)) }

  private func x(_ index: Int) -> Double { Self.left + (Double(index) + 0.5) * step }

  /// Nil if nothing was measured on the main axis.
  func svg() -> Markup? {
    let levels = levels
    let styles = SeriesStyle.all(Self.drawn(findings.attacks))
    let all = styles.flatMap { item in levels.compactMap { findings.score(panel, $0, item.attack, metric) } }
    guard !levels.isEmpty, !all.isEmpty else { return nil }
    let scale = metric.isFraction ? ValueScale(low: 0, high: 1) : ValueScale(covering: all.flatMap { [$0.low, $0.high, $0.mean] })
    func y(_ value: Double) -> Double { Self.top + Self.plotHeight * (1 - scale.fraction(value)) }
    var out: Markup = grid(scale, y)
    let drawn = styles.filter { item in levels.contains { findings.score(panel, $0, item.attack, metric) != nil } }
    let spread = drawn.filter { !$0.attack.isBaseline }
    for item in drawn.reversed() {
      let rank = spread.firstIndex { $0.attack == item.attack }
      let spacing = min(6, step * 0.5 / Double(max(1, spread.count)))
      let shift = rank.map { (Double($0) - Double(spread.count - 1) / 2) * spacing } ?? 0
      out += series(item, levels, shift, y)
    }
    out += axis(levels)
    let label = "\(metric.title) against noise at \(panel.title); the numbers are in the table of all cells."
    return """
      <svg class="chart" viewBox="0 0 \(c(width)) \(c(height))" role="img" aria-label="\(label)">\(out)</svg>
      """
  }

  private func grid(_ scale: ValueScale, _ y: (Double) -> Double) -> Markup {
    var out: Markup = ""
    for tick in scale.ticks {
      let text =
        metric.isFraction ? NumberText.fixed(100 * tick, 0) + (tick == scale.high ? "\u{202F}%" : "") : NumberText.significant(tick)
      out += """
        <path class="\(tick == scale.low ? "axis" : "grid")" d="M\(c(Self.left)) \(c(y(tick)))H\(c(width - Self.right))"/>\
        <text class="tick end" x="\(c(Self.left - 7))" y="\(c(y(tick) + 3.5))">\(text)</text>
        """
    }
    return out
  }

  private func series(
    _ item: (attack: AttackName, style: SeriesStyle), _ levels: [NoisePoint], _ shift: Double, _ y: (Double) -> Double
  ) -> Markup {
    var (steps, bars, marks): (String, Markup, Markup) = ("", "", "")
    var isOpen = false
    for (index, level) in levels.enumerated() {
      guard let score = findings.score(panel, level, item.attack, metric) else {
        isOpen = false
        continue
      }
      let (px, py) = (x(index) + shift, y(score.mean))
      steps += "\(isOpen ? "L" : "M")\(c(px)) \(c(py))"
      isOpen = true
      marks += item.style.mark(px, py)
      if !item.attack.isBaseline { bars += "<path class=\"bar\" d=\"M\(c(px)) \(c(y(score.low)))V\(c(y(score.high)))\"/>" }
    }
    return "<g class=\"\(item.style.classes)\"><title>\(findings.label(item.attack))</title>\(bars)\(item.style.line(steps))\(marks)</g>"
  }

  /// Under the axis: the amount of the main unit, then the other units, one line each.
  private func axis(_ levels: [NoisePoint]) -> Markup {
    let unit = levels.first { !$0.isClean }?.unit ?? .none
    let rows: [(unit: NoisePoint.Unit?, title: String, value: (NoisePoint) -> Double?)] = [
      (.relative, "relative", \.relative), (.meanAbsolute, "mean |ε|", \.meanAbsolute), (.sigma, "σ", \.sigma),
      (nil, "SNR, dB", \.decibels),
    ]
    let ordered = rows.filter { $0.unit == unit } + rows.filter { $0.unit != unit }
    var out: Markup = ""
    var line = Self.top + Self.plotHeight + 17
    for (position, row) in ordered.enumerated() where levels.contains(where: { row.value($0) != nil }) {
      let style = position == 0 ? "tick strong" : "tick faint"
      out += "<text class=\"\(style) end\" x=\"\(c(Self.left - 7))\" y=\"\(c(line))\">\(row.title)</text>"
      for (index, level) in levels.enumerated() {
        let digits = row.unit == nil ? 2 : 3
        let value = row.value(level) ?? (level.isClean && row.unit != nil ? 0 : nil)
        let text =
          value.map { row.unit == nil ? NumberText.fixed($0, 1) : NumberText.significant($0, digits) } ?? (level.isClean ? "∞" : "–")
        out += "<text class=\"\(style) mid\" x=\"\(c(x(index)))\" y=\"\(c(line))\">\(text)</text>"
      }
      line += position == 0 ? 16 : 14
    }
    return out
  }

  private func c(_ value: Double) -> String { NumberText.coordinate(value) }
}
