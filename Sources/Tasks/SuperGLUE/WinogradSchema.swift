import Diagnostics

/// Winograd Schema Challenge (Levesque et al. 2012): does a pronoun (span 2) refer to a noun phrase (span 1)?
struct WinogradSchema: Decodable {
  struct Target: Decodable {
    var span1Text: String
    var span2Text: String
    /// Index among the words divided by white space.
    var span2Index: Int

    enum CodingKeys: String, CodingKey { case span1Text = "span1_text", span2Text = "span2_text", span2Index = "span2_index" }
  }

  var text: String
  var target: Target
  var label: Bool
  var idx: Int

  func examples(at place: String) throws -> [TaskExample] {
    let (noun, pronoun) = (Verbaliser.trimmed(target.span1Text), Verbaliser.trimmed(target.span2Text))
    let prompt = Verbaliser.prompt(
      "Passage: \(try marked(at: place))", "Question: Does the pronoun \"*\(pronoun)*\" refer to \"\(noun)\"?")
    return [TaskExample(id: "\(idx)", prompt: prompt, choices: Verbaliser.noYes, label: label ? 1 : 0)]
  }

  /// The text with the pronoun in asterisks: the occurrence nearest to its index, since an official line counts one word too few.
  /// Throws `Fault` 65 when the text does not hold the pronoun.
  private func marked(at place: String) throws -> String {
    var words = text.split(whereSeparator: \.isWhitespace).map(String.init)
    let span = target.span2Text.split(whereSeparator: \.isWhitespace).map { WinogradSchema.core($0) }
    let found = words.indices.filter { start in
      words[start...].prefix(span.count).map { WinogradSchema.core($0) } == span
    }
    let index = Double(target.span2Index)
    guard !span.isEmpty, let start = found.min(by: { abs(Double($0) - index) < abs(Double($1) - index) }) else {
      throw Fault(.invalidData, "the text does not hold the pronoun \"\(target.span2Text)\"", at: place)
    }
    let end = start + span.count - 1
    let (first, last) = (words[start], words[end])
    let opening = first.prefix(while: { !WinogradSchema.isOfWord($0) })
    words[start] = opening + "*" + first.dropFirst(opening.count)
    let closing = last.reversed().prefix(while: { !WinogradSchema.isOfWord($0) }).count
    words[end] = words[end].dropLast(closing) + "*" + last.suffix(closing)
    return words.joined(separator: " ")
  }

  private static func isOfWord(_ character: Character) -> Bool { character.isLetter || character.isNumber }

  /// A word in lower case without punctuation around it.
  private static func core(_ word: some StringProtocol) -> String {
    String(word.drop { !isOfWord($0) }.reversed().drop { !isOfWord($0) }.reversed()).lowercased()
  }
}
