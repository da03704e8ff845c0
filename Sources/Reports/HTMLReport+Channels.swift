import Audit

extension HTMLReport {
  /// Channel by channel: the best attack on it in the cell where it reads most, or why nothing can be said.
  var channelFindings: Markup {
    let channels = ChannelText.all(record)
    guard !channels.isEmpty else { return "" }
    let rows = channels.map { channel -> Markup in
      let head: Markup = "<th scope=\"row\">\(channel.name)<br/><code>\(channel.channel.rawValue)</code></th>"
      guard let cells = channel.cells else {
        return "<tr>\(head)<td colspan=\"6\" class=\"words\">not applicable: \(channel.reason)</td></tr>"
      }
      let figures = cells.dropFirst(2).map { cell -> Markup in
        "<td class=\"num\">\(cell.text)\(cell.note.isEmpty ? "" as Markup : " <span class=\"ci\">\(cell.note)</span>")</td>"
      }
      return "<tr>\(head)<td>\(cells[0].text)</td><td class=\"nowrap\">\(cells[1].text)</td>\(figures)</tr>"
    }
    let titles = ChannelText.columns.enumerated().map { index, title -> Markup in
      "<th scope=\"col\"\(index > 2 ? " class=\"num\"" as Markup : "")>\(title)</th>"
    }
    let notes = ChannelText.leftOut(channels).map { "<p class=\"note\">\($0)</p>" as Markup }
    return """
      <p>Each channel by itself: what its best attack of this audit reads of the private text in the cell where it reads most, how much of that exceeds \
      the strongest guess without looking, and the most that is read in any cell with noise. What the defense does not touch is as readable with \
      noise as without.</p>
      """
        + scrolling(
          "What each channel gives away",
          "<table><thead><tr>\(titles)</tr></thead><tbody class=\"rows\">\(rows)</tbody></table>") + "\(notes)" + internalChecks
  }

  private var internalChecks: Markup {
    guard let inequality = ChannelText.inequality(record) else { return "" }
    return inequality.holds
      ? "<p class=\"note\">\(inequality.text)</p>"
      : "<div class=\"banner invalid\" role=\"alert\"><strong>\(inequality.text)</strong></div>"
  }

  static let metricNames = [
    "token_accuracy": "tokens", "rouge1_f": "words (ROUGE-1)", "label_accuracy": "training labels",
    "response_accuracy": "tokens of the answer", "prompt_length": "lengths of prompts",
  ]
}
