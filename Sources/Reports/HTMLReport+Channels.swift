import Audit

extension HTMLReport {
  /// Channel by channel: the best attack on it in the cell where it reads most, or why nothing can be said.
  var channelFindings: Markup {
    guard let channels = record.channels, !channels.isEmpty else { return "" }
    let noisy = Set(channels.filter { !NoisePoint(settings: $0.settings).isClean }.map(\.cell))
    let rows = Channel.allCases.compactMap { channel -> Markup? in
      let own = channels.filter { $0.channel == channel.rawValue }
      guard !own.isEmpty else { return nil }
      let plain = Self.channelNames[channel.rawValue] ?? channel.rawValue
      guard let worst = own.filter({ $0.mean != nil }).max(by: { $0.mean! < $1.mean! }) else {
        return """
          <tr><th scope="row">\(plain)<br/><code>\(channel.rawValue)</code></th><td colspan="6" class="words">not applicable: \
          \(truncated(own[0].notApplicable ?? "no result", to: 300).text)</td></tr>
          """
      }
      let underNoise = own.filter { noisy.contains($0.cell) && $0.mean != nil }.max { $0.mean! < $1.mean! }
      let cost = worst.seconds.map { NumberText.duration($0) } ?? ""
      return """
        <tr><th scope="row">\(plain)<br/><code>\(channel.rawValue)</code></th><td>\(worst.bestAttack ?? "")</td>\
        <td class="nowrap">\(Self.metricNames[worst.metric ?? ""] ?? worst.metric ?? "")</td>\
        <td class="num">\(Self.withInterval(worst.mean, worst.ci95))</td><td class="num">\(Self.withInterval(worst.gainOverBaseline, worst.gainCI95))</td>\
        <td class="num">\(underNoise.map { Self.withInterval($0.mean, $0.ci95) } ?? "–")</td><td class="num">\(cost)</td></tr>
        """
    }
    return """
      <p>Each channel by itself: what its best attack of this audit reads of the private text in the cell where it reads most, how much of that exceeds \
      the strongest guess without looking, and the most that is read in any cell with noise. What the defense does not touch is as readable with \
      noise as without.</p>
      """
        + scrolling(
          "What each channel gives away",
          """
          <table><thead><tr><th scope="col">Channel</th><th scope="col">Best attack</th><th scope="col">Measured</th><th scope="col" class="num">Read</th>\
          <th scope="col" class="num">Above guessing</th><th scope="col" class="num">Most, under noise</th><th scope="col" class="num">Cost</th></tr></thead>\
          <tbody class="rows">\(rows)</tbody></table>
          """) + internalChecks
  }

  private var internalChecks: Markup {
    guard let checks = record.controls?.internalChannels, !checks.isEmpty else { return "" }
    let broken = checks.filter { !$0.passed }
    guard broken.isEmpty else {
      return """
        <div class="banner invalid" role="alert"><strong>In \(broken.count) of \(checks.count) comparisons an attack on what the server computes beats \
        every attack on the states that it computes from: an attack on the states is missing.</strong></div>
        """
    }
    return """
      <p class="note">Keys, values, queries and attention maps are computed from the states, so no attack on them may read more than the best attack on \
      the states: true in all \(checks.count) comparisons of this run (95 % intervals).</p>
      """
  }

  private static func withInterval(_ mean: Double?, _ interval: [Double]?) -> Markup {
    guard let mean else { return "–" }
    guard let interval, interval.count == 2 else { return "\(NumberText.percent(mean))" }
    return
      "\(NumberText.percent(mean)) <span class=\"ci\">[\(NumberText.fixed(100 * interval[0], 1))–\(NumberText.fixed(100 * interval[1], 1))]</span>"
  }

  static let metricNames = [
    "token_accuracy": "tokens", "rouge1_f": "words (ROUGE-1)", "label_accuracy": "training labels",
    "response_accuracy": "tokens of the answer",
  ]
}
