import Audit

extension HTMLReport {
  /// Largest number of characters and of token blocks shown of one document.
  static let textLimit = 600
  private static let blockLimit = 400
  private static let documentsPerCell = 2

  /// What the strongest attack made of the first documents, without noise and at the strongest noise, per cut. Redacted unless `showText`.
  var sampleSection: Markup {
    guard let samples, !samples.isEmpty else { return "" }
    let chosen = chosenSamples(samples)
    guard !chosen.isEmpty else { return "" }
    let groups = chosen.map { group -> Markup in
      "<h3>\(group.title)</h3>\(group.samples.map(sample))"
    }
    let intro: Markup =
      showText
      ? """
      <p>The first documents of the data set as the strongest attack read them, the private text beside them. Words that differ are underlined. \
      <strong>This page holds private text: treat it as the data set itself.</strong> Characters that act instead of showing appear as codes.</p>
      """
      : """
      <p>The first documents of the data set as the strongest attack read them. The text is hidden: each block is one token, \
      <span class="blocks"><b>█</b></span> read correctly, <span class="blocks"><i>░</i></span> not. Run <code>fedsea-audit report --show-text</code> \
      to see the words.</p>
      """
    return intro + "\(groups)"
  }

  private struct Group {
    var title: String
    var samples: [SampleRecord]
  }

  /// The first documents by index, never picked by result.
  private func chosenSamples(_ samples: [SampleRecord]) -> [Group] {
    guard let metric = findings.primary else { return [] }
    let byCell = Dictionary(grouping: samples, by: \.cell)
    var cellsOf: [Findings.Panel: [NoisePoint: [String]]] = [:]
    for cell in byCell.keys.sorted() {
      if let place = findings.place(ofCell: cell) { cellsOf[place.panel, default: [:]][place.noise, default: []].append(cell) }
    }
    return findings.panels.prefix(4).flatMap { panel -> [Group] in
      let levels = findings.axis.filter { cellsOf[panel]?[$0] != nil }
      let ends = levels.count > 1 ? [levels[0], levels[levels.count - 1]] : levels
      return ends.compactMap { level -> Group? in
        guard let best = findings.best(panel, level, metric)?.attack, let cell = cellsOf[panel]?[level]?.first else { return nil }
        let own = (byCell[cell] ?? []).filter { $0.attack == best.name && ($0.channel ?? best.channel) == best.channel }
        let first = own.sorted { $0.document < $1.document }.prefix(Self.documentsPerCell)
        return first.isEmpty ? nil : Group(title: "\(panel.title), \(level.label): \(findings.label(best))", samples: Array(first))
      }
    }
  }

  private func sample(_ sample: SampleRecord) -> Markup {
    let wrong = max(0, sample.tokens.subtractingReportingOverflow(sample.matchingTokens).partialValue)
    let score = "\(sample.matchingTokens) of \(sample.tokens) tokens read, \(wrong) not (\(NumberText.percent(sample.tokenAccuracy)))"
    let body = showText ? comparison(sample) : blocks(sample)
    return "<div class=\"sample\"><p class=\"who\">Document \(sample.document): \(score)</p>\(body)</div>"
  }

  /// One block a token, in place if the positions are known, else the right ones first.
  private func blocks(_ sample: SampleRecord) -> Markup {
    var hits = (sample.matches ?? "").unicodeScalars.prefix(Self.blockLimit).map { $0 == "1" }
    if hits.isEmpty {
      let shown = min(max(0, sample.tokens), Self.blockLimit)
      hits = (0..<shown).map { $0 < sample.matchingTokens }
    }
    var (out, index): (Markup, Int) = ("", 0)
    while index < hits.count {
      let end = hits[index...].firstIndex { $0 != hits[index] } ?? hits.count
      let run = String(repeating: hits[index] ? "█" : "░", count: end - index)
      out += hits[index] ? "<b>\(run)</b>" : "<i>\(run)</i>"
      index = end
    }
    let rest: Markup = sample.tokens > hits.count ? " <span class=\"note\">and \(sample.tokens - hits.count) more</span>" : ""
    return "<p class=\"blocks\" aria-hidden=\"true\">\(out)\(rest)</p>"
  }

  private func comparison(_ sample: SampleRecord) -> Markup {
    guard sample.truthText != nil || sample.guessText != nil else { return blocks(sample) + "<p class=\"note\">The run kept no text.</p>" }
    let (truth, guess) = (truncated(sample.truthText ?? "", to: Self.textLimit), truncated(sample.guessText ?? "", to: Self.textLimit))
    let difference = WordDifference(truth: truth.text, guess: guess.text)
    func marked(_ pieces: [WordDifference.Piece]) -> [Markup] {
      pieces.map { $0.isCommon ? "\($0.space)\($0.word)" : "\($0.space)<mark>\($0.word)</mark>" }
    }
    func rest(_ omitted: Int) -> Markup { omitted == 0 ? "" : " <span class=\"note\">… \(omitted) more characters</span>" }
    return """
      <p class="who">Private text</p><p class="recovered" dir="ltr">\(marked(difference.truth))\(rest(truth.omitted))</p>\
      <p class="who">As the attacker read it</p><p class="recovered" dir="ltr">\(marked(difference.guess))\(rest(guess.omitted))</p>
      """
  }
}
