import Diagnostics

/// What the parsers of the tasks share: how answers are put in words and prompts are joined.
enum Verbaliser {
  /// Answers of yes-or-no questions; the index is the truth value.
  static let noYes = [" no", " yes"]

  /// Index of `label` among `known`. Throws `Fault` 65 with the known labels.
  static func index<T: Equatable>(of label: T, among known: [T], at place: String) throws -> Int {
    guard let index = known.firstIndex(of: label) else {
      let names = known.map { "\($0)" }.joined(separator: ", ")
      throw Fault(.invalidData, "the label \(label) is unknown", at: place, hint: "expected one of: \(names)")
    }
    return index
  }

  /// The lines of a prompt, of which the last is "Answer:".
  static func prompt(_ lines: String...) -> String { (lines + ["Answer:"]).joined(separator: "\n") }

  /// `text` without white space around it, with `mark` at its end unless it ends a sentence already.
  static func ending(_ text: String, with mark: Character) -> String {
    var text = trimmed(text)
    if let last = text.last, !"?.!".contains(last) { text.append(mark) }
    return text
  }

  /// `text` without white space around it.
  static func trimmed(_ text: some StringProtocol) -> String {
    String(text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
  }
}
