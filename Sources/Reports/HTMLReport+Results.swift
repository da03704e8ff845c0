import Audit

extension HTMLReport {
  /// Cut × noise: the strongest attack of each cell, the best guess under it.
  var glance: Markup {
    guard let metric = findings.primary, !findings.panels.isEmpty else { return "<p>No results were recorded.</p>" }
    let levels = findings.axis
    let head = levels.map { "<th scope=\"col\" class=\"num\">\($0.label)</th>" as Markup }
    let rows = findings.panels.map { panel -> Markup in
      func row(_ title: String, _ style: String, baselines: Bool) -> Markup {
        let values = levels.map { level -> Markup in
          guard let best = findings.best(panel, level, metric, baselines: baselines) else { return "<td class=\"num\">–</td>" }
          let name: Markup = baselines ? "" : "<span class=\"ci\">\(findings.label(best.attack))</span>"
          let gain: Markup = baselines ? "" : best.score.gain.map { "<span class=\"ci\">gain \(metric.gain($0, best.score))</span>" } ?? ""
          return
            "<td class=\"num\">\(metric.text(best.score.mean))<span class=\"ci\">\(metric.interval(best.score))</span>\(name)\(gain)</td>"
        }
        let first: Markup = baselines ? "" : "<th scope=\"rowgroup\" rowspan=\"2\" class=\"nowrap\">\(panel.title)</th>"
        return "<tr class=\"\(style)\">\(first)<th scope=\"row\" class=\"name nowrap\">\(title)</th>\(values)</tr>"
      }
      return
        "<tbody>\(row("best attack", "best", baselines: false))\(row("best guess", "baseline", baselines: true))</tbody>"
    }
    return """
      <p>\(metric.title) of the strongest attack at each cut and noise level, with the 95 % interval over documents (n = \(documentCount)). \
      The gain is the paired difference to the best guess\(metric.isFraction ? ", in percentage points" : "") with its own interval. \
      Under it, the best guess that never looks at the hidden states: only the difference is leakage.</p>
      """
        + scrolling(
          "Overview",
          """
          <table class="matrix"><thead><tr><th scope="col">Cut</th><th scope="col"></th>\(head)</tr></thead>\(rows)</table>
          """)
  }

  /// The least and greatest n of the results: `12` or `10–12`.
  var documentCount: String {
    let counts = record.results.map(\.n)
    guard let low = counts.min(), let high = counts.max() else { return "0" }
    return low == high ? String(low) : "\(low)–\(high)"
  }

  /// One chart per cut with a common legend.
  var curves: Markup {
    guard let metric = findings.primary else { return "" }
    let charts = findings.panels.compactMap { panel -> Markup? in
      let chart = LeakageChart(findings: findings, panel: panel, metric: metric)
      guard let svg = chart.svg() else { return nil }
      return "<figure\(chart.width > 400 ? " class=\"wide\"" as Markup : "")><h3>\(panel.title)</h3>\(svg)</figure>"
    }
    guard !charts.isEmpty else { return "" }
    let drawn = LeakageChart.drawn(findings.attacks)
    let omitted = findings.attacks.count - drawn.count
    let rest: Markup =
      omitted == 0
      ? "" : " Only the \(LeakageChart.mostAttacks) strongest attacks are drawn; the table of every attack has the other \(omitted)."
    let legend = SeriesStyle.all(drawn).enumerated().map { index, item -> Markup in
      "<li\(index == 0 ? " class=\"first\"" as Markup : "")>\(item.style.swatch)<span>\(findings.label(item.attack))</span></li>"
    }
    return """
      <p>\(metric.title) against the amount of noise, one panel per cut. Bars are 95 % intervals over documents; points are shifted a little \
      sideways so that bars do not hide each other. Dashed grey lines are guesses that never look at the hidden states. The strongest attack \
      over all is drawn heavy. Noise steps are categories, not a scale.\(rest)</p>
      <ul class="legend">\(legend)</ul>
      <div class="panels">\(charts)</div>
      """
  }

  /// Every cell × attack, the strongest attack bold.
  var cells: Markup {
    guard let metric = findings.primary else { return "" }
    let extra = [Metric.exactMatch, .bits].filter { findings.metrics.contains($0) && $0 != metric }
    let head = extra.map { "<th scope=\"col\" class=\"num\">\($0.title)</th>" as Markup }
    return """
      <p>The strongest attack of each cell is bold, baselines are grey. <em>Gain</em> is the paired difference to the strongest baseline of the \
      same cell\(metric.isFraction ? ", in percentage points" : ""), with its 95 % interval. Every number, with standard errors and settings, is in \
      <code>scores.csv</code>. Open a cut to see its cells.</p>
      """
        + "\(findings.panels.map { panel in cells(of: panel, metric, extra, head) })"
  }

  private func cells(of panel: Findings.Panel, _ metric: Metric, _ extra: [Metric], _ head: [Markup]) -> Markup {
    let bodies = findings.noises(in: panel).compactMap { level in cellBody(panel, level, metric, extra) }
    guard !bodies.isEmpty else { return "" }
    let open: Markup = findings.panels.count * findings.attacks.count <= 24 ? " open=\"open\"" : ""
    let table = scrolling(
      "Cells at \(panel.title)",
      """
      <table><thead><tr><th scope="col">Cut</th><th scope="col">Noise</th><th scope="col">Attack</th>\
      <th scope="col" class="num" colspan="2">\(metric.title), 95 % interval</th><th scope="col" class="num">Gain</th>\(head)\
      <th scope="col" class="num">n</th><th scope="col" class="num">Time</th></tr></thead>\(bodies)</table>
      """)
    return "<details\(open)><summary>\(panel.title): \(bodies.count) cells</summary>\(table)</details>"
  }

  private func cellBody(_ panel: Findings.Panel, _ level: NoisePoint, _ metric: Metric, _ extra: [Metric]) -> Markup? {
    let scored = findings.attacks.compactMap { attack in findings.score(panel, level, attack, metric).map { (attack, $0) } }
    guard !scored.isEmpty else { return nil }
    let best = findings.best(panel, level, metric)?.attack
    let rows = scored.enumerated().map { index, item -> Markup in
      let (attack, score) = item
      let style = attack == best ? "best" : (attack.isBaseline ? "baseline" : "")
      let others = extra.map { other -> Markup in
        "<td class=\"num\">\(findings.score(panel, level, attack, other).map { other.text($0.mean) } ?? NumberText.missing)</td>"
      }
      let place: Markup =
        index > 0
        ? ""
        : """
        <th scope="rowgroup" class="nowrap" rowspan="\(scored.count)">\(panel.title)</th>\
        <th scope="rowgroup" class="nowrap" rowspan="\(scored.count)">\(level.label)</th>
        """
      return """
        <tr class="\(style)">\(place)<th scope="row" class="name nowrap">\(findings.label(attack))</th><td class="num">\(metric.text(score.mean))</td>\
        <td class="num ci ci-cell">\(metric.interval(score))</td>\
        <td class="num">\(score.gain.map { metric.gain($0, score) } ?? NumberText.missing)</td>\(others)<td class="num">\(score.n)</td>\
        <td class="num">\(NumberText.duration(score.seconds))</td></tr>
        """
    }
    return "<tbody>\(rows)</tbody>"
  }

  /// ROUGE, BLEU, edit distance and the rest, for the strongest attack of each cell.
  var furtherMetrics: Markup {
    guard let primary = findings.primary else { return "" }
    let others = findings.metrics.filter { ![primary, .exactMatch, .bits].contains($0) }
    guard !others.isEmpty else { return "" }
    let bodies = findings.panels.map { panel -> Markup in
      let rows = findings.noises(in: panel).compactMap { level -> Markup? in
        guard let best = findings.best(panel, level, primary) else { return nil }
        let values = others.map { metric -> Markup in
          guard let score = findings.score(panel, level, best.attack, metric) else { return "<td class=\"num\">–</td>" }
          return "<td class=\"num\">\(metric.text(score.mean)) <span class=\"ci\">\(metric.interval(score))</span></td>"
        }
        return """
          <tr><th scope="row" class="nowrap">\(panel.title)</th><td class="nowrap">\(level.label)</td><td class="nowrap">\(findings.label(best.attack))</td>\
          \(values)</tr>
          """
      }
      return "<tbody>\(rows)</tbody>"
    }
    let head = others.map { "<th scope=\"col\" class=\"num\">\($0.title)</th>" as Markup }
    return scrolling(
      "Further metrics",
      """
      <table><thead><tr><th scope="col">Cut</th><th scope="col">Noise</th><th scope="col">Attack</th>\(head)</tr></thead>\(bodies)</table>
      """)
  }
}
