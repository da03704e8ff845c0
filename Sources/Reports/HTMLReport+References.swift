import Audit

extension HTMLReport {
  /// How far each attack stays behind the Bayes reference.
  var references: Markup {
    guard let references = record.references, !references.isEmpty else { return "" }
    let rows = references.flatMap { reference in
      reference.attacks.map { attack -> Markup in
        """
        <tr><th scope="row">\(reference.cell)</th><td>\(attack.attack)</td><td class="num">\(reference.positions)</td>\
        <td class="num">\(NumberText.percent(reference.accuracy))</td><td class="num">\(NumberText.percent(attack.accuracy))</td>\
        <td class="num">\(Self.shortfall(attack))</td></tr>
        """
      }
    }
    return """
      <p>The reference knows the true text before each position, tries every token and has the language model as prior. No attack that decides \
      position by position does better on average under that prior; one that uses later positions may.</p>
      """
        + scrolling(
          "Bayes reference",
          """
          <table><thead><tr><th scope="col">Cell</th><th scope="col">Attack</th><th scope="col" class="num">Positions</th>\
          <th scope="col" class="num">Reference</th><th scope="col" class="num">Attack</th><th scope="col" class="num">Behind, points</th></tr></thead>\
          <tbody class="rows">\(rows)</tbody></table>
          """)
  }

  /// `1.2 [0.3, 2.0]` in points.
  static func shortfall(_ attack: ReferenceResult.Shortfall) -> String {
    func points(_ x: Double) -> String { NumberText.fixed(100 * x, 1) }
    guard attack.ci95.count == 2 else { return points(attack.shortfall) }
    return "\(points(attack.shortfall)) [\(points(attack.ci95[0])), \(points(attack.ci95[1]))]"
  }
}
