import Diagnostics

/// What the readers of free text share.
enum PlainText {
  /// The words of a text with one blank between them.
  static func oneLine(_ text: some StringProtocol) -> String { text.split(whereSeparator: \.isWhitespace).joined(separator: " ") }

  /// A reference: the text on one line, after the blank that divides it from the prompt; nil if it is blank.
  static func reference(_ text: some StringProtocol) -> String? {
    let line = oneLine(text)
    return line.isEmpty ? nil : " " + line
  }

  /// `id`, if it can stand in a file name and in `id/part`. Throws `Fault` 65 at `place` if it is empty, begins with a full stop, or holds a
  /// slash or a control character.
  static func checked(id: String, at place: String) throws -> String {
    let isPlain = id.unicodeScalars.allSatisfy { $0 != "/" && $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
    guard isPlain, !id.isEmpty, !id.hasPrefix(".") else { throw Fault(.invalidData, "\"\(id)\" is no id", at: place) }
    return id
  }
}
