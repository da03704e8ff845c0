import Diagnostics
import Foundation

/// CoQA (Reddy, Chen & Manning 2019): conversations of questions and free answers about a story.
struct CoQA: Decodable {
  struct Turn: Decodable {
    var input_text: String
    var turn_id: Int
  }

  struct Story: Decodable {
    var id: String
    var story: String
    var questions: [Turn]
    var answers: [Turn]
    /// Answers of other people, of the development set only.
    var additional_answers: [String: [Turn]]?
  }

  var data: [Story]

  /// One example per turn: the story, the questions and first answers so far, and the question. Additional answers follow the first in the
  /// order of their keys.
  ///
  /// Throws `Fault` 65: broken JSON and missing or mistyped keys with their path; with the story's id, an empty or repeated story, another
  /// number of answers than of questions, turns that do not match, and an empty question or answer; with the file when no example is left.
  static func examples(of bytes: [UInt8], named name: String) throws -> [GenerationExample] {
    var seen: Set<String> = []
    let examples = try JSONRecord.document(CoQA.self, bytes, name).data.flatMap { story in
      let place = "\(name): story \(story.id)"
      guard seen.insert(story.id).inserted else { throw Fault(.invalidData, "the story is there already", at: place) }
      return try story.examples(at: place)
    }
    guard !examples.isEmpty else { throw Fault(.invalidData, "the file holds no example", at: name) }
    return examples
  }
}

extension CoQA.Story {
  func examples(at place: String) throws -> [GenerationExample] {
    let id = try PlainText.checked(id: id, at: place)
    var prompt = "Passage: \(Verbaliser.trimmed(story))"
    guard prompt != "Passage: " else { throw Fault(.invalidData, "the story is empty", at: place) }
    let others = (additional_answers ?? [:]).sorted { ($0.key.utf8.count, $0.key) < ($1.key.utf8.count, $1.key) }
    let answers = [("answers", answers)] + others.map { ("additional_answers.\($0.key)", $0.value) }
    for (key, list) in answers where list.count != questions.count {
      throw Fault(.invalidData, "\"\(key)\" has \(list.count) answers to \(questions.count) questions", at: place)
    }
    return try questions.enumerated().map { index, question in
      let number = question.turn_id
      guard number == index + 1 else {
        throw Fault(.invalidData, "question \(index + 1) has the turn_id \(number)", at: place, hint: "turns count from 1")
      }
      let references = try answers.map { key, list in
        guard list[index].turn_id == number else {
          throw Fault(.invalidData, "\"\(key)\" has turn \(list[index].turn_id) where the questions have \(number)", at: place)
        }
        guard let reference = PlainText.reference(list[index].input_text) else {
          throw Fault(.invalidData, "turn \(number) has no answer in \"\(key)\"", at: place)
        }
        return reference
      }
      guard let text = PlainText.reference(question.input_text) else {
        throw Fault(.invalidData, "the question of turn \(number) is empty", at: place)
      }
      prompt += "\nQ:\(text)\nA:"
      defer { prompt += references[0] }
      return GenerationExample(id: "\(id)/\(number)", source: id, prompt: prompt, references: references)
    }
  }
}
