import Diagnostics

/// A conversation of the chitchat data set: turns of one or more messages, by two people.
struct ChitchatConversation: Decodable {
  struct Message: Decodable {
    var text: String
    var sender: String
  }

  /// Turns before the one to predict.
  static let context = 6

  var messages: [[Message]]

  /// One example per turn that follows another: the last turns, and the letter of who speaks next. Conversations come in the order of ids;
  /// those of one turn give none. Throws `Fault` 65: broken JSON and missing or mistyped keys with their path; with the conversation's id, an
  /// id that is none, a turn of two people and a third person; with the file when no example is left.
  static func examples(of bytes: [UInt8], named name: String) throws -> [GenerationExample] {
    let all = try JSONRecord.document([String: ChitchatConversation].self, bytes, name)
    let examples = try all.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }.flatMap { id, conversation in
      try conversation.examples(id: id, at: "\(name): conversation \(id)")
    }
    guard !examples.isEmpty else { throw Fault(.invalidData, "the file holds no example", at: name) }
    return examples
  }

  /// Blank turns count as not said.
  private func examples(id: String, at place: String) throws -> [GenerationExample] {
    let id = try PlainText.checked(id: id, at: place)
    var letters: [String: String] = [:]
    var turns: [String] = []
    var examples: [GenerationExample] = []
    for (index, turn) in messages.enumerated() {
      guard let sender = turn.first?.sender, let said = PlainText.reference(turn.map(\.text).joined(separator: " ")) else { continue }
      guard turn.allSatisfy({ $0.sender == sender }) else { throw Fault(.invalidData, "two people speak in turn \(index + 1)", at: place) }
      let letter = letters[sender] ?? (letters.isEmpty ? "A" : "B")
      letters[sender] = letter
      guard letters.count <= 2 else { throw Fault(.invalidData, "a third person speaks in turn \(index + 1)", at: place) }
      if !turns.isEmpty {
        let prompt = turns.suffix(ChitchatConversation.context).joined(separator: "\n") + "\n\(letter):"
        examples.append(GenerationExample(id: "\(id)/\(index + 1)", source: id, prompt: prompt, references: [said]))
      }
      turns.append("\(letter):\(said)")
    }
    return examples
  }
}
