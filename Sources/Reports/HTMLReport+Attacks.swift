import Audit

extension HTMLReport {
  /// One table a cut: attacks down, noise across. Twenty attacks and seven levels stay one screen each; gains and times are in the cells' tables.
  var everyAttack: Markup {
    guard let metric = findings.primary else { return "" }
    let tables = findings.panels.compactMap { panel -> Markup? in
      let levels = findings.noises(in: panel)
      let attacks = findings.attacks.filter { attack in levels.contains { findings.score(panel, $0, attack, metric) != nil } }
      guard !levels.isEmpty, !attacks.isEmpty else { return nil }
      let best = levels.map { findings.best(panel, $0, metric)?.attack }
      let head = levels.map { "<th scope=\"col\" class=\"num\">\($0.label)</th>" as Markup }
      let rows = attacks.map { attack -> Markup in
        let cells = zip(levels, best).map { level, best -> Markup in
          guard let score = findings.score(panel, level, attack, metric) else { return "<td class=\"num\">–</td>" }
          let style: Markup = attack == best ? "num top" : "num"
          return "<td class=\"\(style)\">\(metric.text(score.mean))<span class=\"ci\">\(metric.interval(score))</span></td>"
        }
        let style: Markup = attack.isBaseline ? " class=\"baseline\"" : ""
        return "<tr\(style)><th scope=\"row\" class=\"name nowrap\">\(findings.label(attack))</th>\(cells)</tr>"
      }
      return "<h3>\(panel.title)</h3>"
        + scrolling(
          "Every attack at \(panel.title)",
          """
          <table class="matrix attacks"><thead><tr><th scope="col">Attack</th>\(head)</tr></thead><tbody class="rows">\(rows)</tbody></table>
          """)
    }
    guard !tables.isEmpty else { return "" }
    return """
      <p>\(metric.title) of every attack with its 95 % interval over documents, strongest attack over all first, baselines last and grey. The \
      strongest of each column is bold: it has the largest gain as well, since all gains of a cell are over the same baseline.</p>\(tables)
      """
  }
}
