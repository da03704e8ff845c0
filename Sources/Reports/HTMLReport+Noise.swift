import Audit

extension HTMLReport {
  /// The paper's absolute noise (and any other unit off the main axis) as a table of its own.
  var absoluteNoise: Markup {
    guard let metric = findings.primary, !findings.offAxis.isEmpty else { return "" }
    let bodies = findings.panels.map { panel -> Markup in
      let levels = findings.offAxis.compactMap { findings.level($0, in: panel) }
      let rows = levels.map { level -> Markup in
        let best = findings.best(panel, level, metric)
        let guess = findings.best(panel, level, metric, baselines: true)
        let paper = level.meanAbsolute.flatMap { PaperNoise.relative(meanAbsoluteNoise: $0, inputBlocks: panel.inputBlocks) }
        return """
          <tr><th scope="row" class="nowrap">\(panel.title)</th><td class="nowrap">\(level.label)</td>\
          <td class="num">\(number(level.sigma))</td><td class="num">\(number(level.relative))</td>\
          <td class="num">\(level.decibels.map { NumberText.fixed($0, 1) } ?? NumberText.missing)</td>\
          <td class="num">\(paper.map { NumberText.figures($0, 2) } ?? NumberText.missing)</td>\
          <td class="nowrap">\(best.map { findings.label($0.attack) } ?? NumberText.missing)</td>\
          <td class="num"><b>\(best.map { metric.text($0.score.mean) } ?? NumberText.missing)</b></td>\
          <td class="num ci ci-cell">\(best.map { metric.interval($0.score) } ?? "")</td>\
          <td class="num">\(guess.map { metric.text($0.score.mean) } ?? NumberText.missing)</td></tr>
          """
      }
      return levels.isEmpty ? "" : "<tbody>\(rows)</tbody>"
    }
    return """
      <p>FedSEA-LLaMA quotes its noise as a mean absolute value: 0.02, 0.05 or 0.1. The number alone means nothing: LLaMA-2-7B's hidden states at \
      p = 1 are themselves only about 0.022 in size, so there it is 0.9 to 4.5 times the signal. Set against the states of the model in this \
      audit, the same number is the share in the column <em>relative here</em>.</p>
      """
        + scrolling(
          "Absolute noise",
          """
          <table><thead><tr><th scope="col">Cut</th><th scope="col">Noise</th><th scope="col" class="num">σ</th>\
          <th scope="col" class="num">Relative here</th><th scope="col" class="num">SNR, dB</th><th scope="col" class="num">Relative in LLaMA-2-7B</th>\
          <th scope="col">Best attack</th><th scope="col" class="num" colspan="2">\(metric.title)</th><th scope="col" class="num">Best guess</th>\
          </tr></thead>\(bodies)</table>
          """)
          + """
          <p class="note">Relative in LLaMA-2-7B: quoted noise over the mean |h| read off the paper's appendix figures (±10 %).</p>
          """
  }

  /// Histograms of the distance to the nearest rival token, and how much of it each noise level covers.
  var margins: Markup {
    let usable = record.margins.filter { $0.firstProblem() == nil }.sorted { $0.inputBlocks < $1.inputBlocks }
    guard !usable.isEmpty else { return "" }
    let figures = usable.compactMap { margin -> Markup? in
      guard let svg = MarginChart(margin: margin, levels: noisyLevels(margin)).svg() else { return nil }
      return """
        <figure><h3>p = \(margin.inputBlocks) <small>\(NumberText.grouped(margin.positions)) positions, C = \(margin.channels)</small></h3>\(svg)</figure>
        """
    }
    return """
      <p>\(marginSentence(usable))</p>
      <p>An attacker with exact weights who must choose between the truth and one rival at distance D takes the rival with probability Q(D/2σ): \
      16\u{202F}% at D = 2σ, 2.3\u{202F}% at 4σ, 0.003\u{202F}% at 8σ. Dashed lines mark 2σ for the noise levels of this audit. Positions far to the \
      right of a line survive that noise and stay readable; to the left of it the nearest rival is often taken instead. Many rivals nearby help \
      the defense; knowledge of the language helps the attacker.</p>
      <div class="panels">\(figures)</div>
      \(marginTable(usable))
      """
  }

  private func noisyLevels(_ margin: MarginHistogram) -> [NoisePoint] {
    guard let panel = findings.panels.first(where: { $0.inputBlocks == margin.inputBlocks }) else { return [] }
    return findings.axis.compactMap { findings.level($0, in: panel) }.filter { ($0.sigma ?? 0) > 0 }
  }

  private func marginSentence(_ margins: [MarginHistogram]) -> String {
    let parts = margins.map { margin -> String in
      let median = margin.quantiles[3]
      let share = margin.stateNorm > 0 ? " (\(NumberText.figures(median / margin.stateNorm, 2)) RMS·√C)" : ""
      return "\(NumberText.figures(median))\(share) at p = \(margin.inputBlocks)"
    }
    return
      "Noise hides a token only if it can carry the hidden state past the halfway point to that of another token. For each position the "
      + "distance from the true state to that of the nearest rival was measured, the text before it held fixed. Its median is "
      + parts.joined(separator: ", ") + ". Only the most similar tokens were tried, so a true margin can be smaller, never larger."
  }

  private func marginTable(_ margins: [MarginHistogram]) -> Markup {
    let bodies = margins.map { margin -> Markup in
      let levels = noisyLevels(margin)
      let q = margin.quantiles
      func relative(_ value: Double) -> String {
        margin.stateNorm > 0 ? NumberText.figures(value / margin.stateNorm, 2) : NumberText.missing
      }
      let spread: Markup = """
        <th scope="rowgroup" class="nowrap" rowspan="\(max(1, levels.count))">p = \(margin.inputBlocks)</th>\
        <td class="num" rowspan="\(max(1, levels.count))">\(NumberText.figures(q[1])) · <b>\(NumberText.figures(q[3]))</b> · \
        \(NumberText.figures(q[5]))<span class="ci"><br/>\(relative(q[1])) · \(relative(q[3])) · \(relative(q[5]))</span></td>
        """
      if levels.isEmpty {
        return "<tbody><tr>\(spread)<td>–</td><td class=\"num\">–</td><td class=\"num\">–</td><td class=\"num\">–</td></tr></tbody>"
      }
      let rows = levels.enumerated().map { index, level -> Markup in
        let sigma = level.sigma ?? 0
        func share(_ multiple: Double) -> String {
          margin.share(below: multiple * sigma).map { NumberText.percent($0) } ?? NumberText.missing
        }
        return """
          <tr>\(index == 0 ? spread : "")<td class="nowrap">\(level.label)</td><td class="num">\(NumberText.figures(sigma))</td>\
          <td class="num">\(share(2))</td><td class="num">\(share(8))</td></tr>
          """
      }
      return "<tbody>\(rows)</tbody>"
    }
    return scrolling(
      "Margins and noise",
      """
      <table><thead><tr><th scope="col">Cut</th><th scope="col" class="num">Margin 5 % · median · 95 %<span class="ci"><br/>in units of RMS·√C\
      </span></th><th scope="col">Noise</th><th scope="col" class="num">σ</th><th scope="col" class="num">Nearest rival within 2σ</th>\
      <th scope="col" class="num">within 8σ</th></tr></thead>\(bodies)</table>
      """)
  }

  /// Utility beside the leakage of the same cell.
  var price: Markup {
    guard let leak = findings.primary, !utility.metrics.isEmpty else { return "" }
    let bodies = findings.panels.map { panel -> Markup in
      let rows = findings.noises(in: panel).compactMap { level in priceRow(panel, level, leak) }
      return rows.isEmpty ? "" : "<tbody>\(rows)</tbody>"
    }
    let head = utility.metrics.map { metric -> Markup in
      """
      <th scope="col" class="num" colspan="2">\(metric.title), 95 % interval</th><th scope="col" class="num">× without noise</th>
      """
    }
    return """
      <p>What the noise does to the model's own work, beside what it does to the strongest attack. A defense is worth its noise only if the \
      second falls before the first.</p>
      """
        + scrolling(
          "Utility beside leakage",
          """
          <table><thead><tr><th scope="col">Cut</th><th scope="col">Noise</th>\(head)<th scope="col" class="num" colspan="2">\(leak.title) of the \
          best attack</th></tr></thead>\(bodies)</table>
          """)
  }

  private func priceRow(_ panel: Findings.Panel, _ level: NoisePoint, _ leak: Metric) -> Markup? {
    let values = utility.metrics.map { ($0, utility.value(panel, level, $0)) }
    guard values.contains(where: { $0.1 != nil }) else { return nil }
    let cells = values.map { metric, value -> Markup in
      guard let value else { return "<td class=\"num\">–</td><td></td><td class=\"num\">–</td>" }
      let clean = utility.clean(panel, metric)?.mean ?? .nan
      let ratio = clean > 0 ? NumberText.figures(value.mean / clean) : NumberText.missing
      return """
        <td class="num">\(metric.text(value.mean))</td><td class="num ci ci-cell">[\(metric.text(value.low)), \(metric.text(value.high))]</td>\
        <td class="num">\(ratio)</td>
        """
    }
    let best = findings.best(panel, level, leak)
    return """
      <tr><th scope="row" class="nowrap">\(panel.title)</th><td class="nowrap">\(level.label)</td>\(cells)\
      <td class="num">\(best.map { leak.text($0.score.mean) } ?? NumberText.missing)</td>\
      <td class="num ci ci-cell">\(best.map { leak.interval($0.score) } ?? "")</td></tr>
      """
  }

  private func number(_ value: Double?) -> String { value.map { NumberText.figures($0) } ?? NumberText.missing }
}
