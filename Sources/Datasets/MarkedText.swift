import PrivateText

/// A text that is put together from plain and marked parts.
struct MarkedText {
  private(set) var text = ""
  private(set) var spans: [TextSpan] = []

  mutating func append(_ plain: some StringProtocol) { text += plain }

  mutating func append(_ value: String, kind: PrivateEntity.Kind, space: SecretSpace? = nil) {
    let start = text.utf8.count
    text += value
    spans.append(TextSpan(kind: kind, bytes: start..<text.utf8.count, space: space))
  }

  mutating func append(_ other: MarkedText) {
    let start = text.utf8.count
    text += other.text
    spans += other.spans.map { TextSpan(kind: $0.kind, bytes: $0.bytes.lowerBound + start..<$0.bytes.upperBound + start, space: $0.space) }
  }

  /// The sentences of `next` one after another, with a space between them, until there are at least `least` tokens; one that would take the
  /// text over `most` is left out. Nil if `tries` sentences do not lead there.
  static func joined(
    tokens: ClosedRange<Int>, tries: Int, tokenize: Tokenize, next: () throws -> MarkedText
  ) throws -> MarkedText? {
    var out = MarkedText()
    for _ in 0..<tries {
      var longer = out
      if !out.text.isEmpty { longer.append(" ") }
      longer.append(try next())
      let count = try tokenize(longer.text).count
      if count <= tokens.upperBound { out = longer }
      if count <= tokens.upperBound, count >= tokens.lowerBound { return out }
    }
    return nil
  }
}
