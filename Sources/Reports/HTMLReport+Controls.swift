import Audit

extension HTMLReport {
  /// What makes the numbers worthless, above everything else: failed controls; and attacks that gave no result.
  var validityBanner: Markup {
    var out: Markup = ""
    if record.valid == false {
      let reasons = (record.invalidReasons ?? []).prefix(20).map { "<li>\(truncated($0, to: 400).text)</li>" as Markup }
      out += """
        <div class="banner invalid" role="alert"><strong>INVALID RUN: a control failed. Nothing on this page may be used.</strong>\
        <ul>\(reasons)</ul></div>
        """
    }
    let failures = record.failures ?? []
    if !failures.isEmpty {
      let items = failures.prefix(20).map { failure -> Markup in
        "<li><b>\(truncated(failure.attack, to: 80).text)</b> in \(truncated(failure.cell, to: 80).text): \(truncated(failure.message, to: 400).text)</li>"
      }
      let more: Markup = failures.count > 20 ? "<li>and \(failures.count - 20) more in record.json</li>" : ""
      out += """
        <div class="banner" role="note"><strong>Attacks that gave no result (\(failures.count))</strong>The others of the cell went on; \
        leakage by these is not in the numbers.<ul>\(items)\(more)</ul></div>
        """
    }
    return out
  }

  /// The controls with their numbers; empty for a record without any.
  var controlsSection: Markup {
    guard let controls = record.controls else { return "" }
    func verdict(_ good: Bool, _ yes: Markup, _ no: Markup) -> Markup {
      good ? "<td class=\"nowrap\">\(yes)</td>" : "<td class=\"nowrap\"><strong>\(no)</strong></td>"
    }
    let leaks = controls.plantedLeaks.map { control -> Markup in
      """
      <tr><th scope="row">planted leak</th><td>\(control.partition)</td><td>\(control.attack)</td>\
      <td class="num">\(NumberText.percent(control.accuracy))</td><td class="num">at least \(NumberText.percent(control.threshold))</td>\
      \(verdict(control.found, "found", "NOT FOUND"))</tr>
      """
    }
    let shuffled = controls.shuffled.map { control -> Markup in
      """
      <tr><th scope="row">shuffled labels</th><td>\(control.cell)</td><td>\(control.attack)</td>\
      <td class="num">\(NumberText.percent(control.accuracy))</td><td class="num">at most \(NumberText.percent(control.chance))</td>\
      \(verdict(control.passed, "no better than chance", "BETTER THAN CHANCE"))</tr>
      """
    }
    let without: Markup = controls.shuffled.isEmpty ? " No attack of this plan was trained on shuffled labels." : ""
    return """
      <p>A leak that was planted into a copy of the view must be found, or low scores mean nothing; an attack that learns from shuffled labels \
      must not beat chance, or high scores mean nothing.\(without)</p>
      """
        + scrolling(
          "Controls",
          """
          <table><thead><tr><th scope="col">Control</th><th scope="col">Where</th><th scope="col">Attack</th><th scope="col" class="num">Tokens read</th>\
          <th scope="col" class="num">Must be</th><th scope="col">Outcome</th></tr></thead><tbody class="rows">\(leaks)\(shuffled)</tbody></table>
          """)
  }
}
