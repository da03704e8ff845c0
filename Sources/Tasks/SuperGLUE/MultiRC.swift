import Diagnostics

/// MultiRC (Khashabi et al. 2018): questions on a paragraph, with any number of right ones among the answer options.
struct MultiRC: Decodable {
  struct Answer: Decodable {
    var text: String
    var label: Int
    var idx: Int
  }

  struct Question: Decodable {
    var question: String
    var answers: [Answer]
    var idx: Int
  }

  struct Passage: Decodable {
    var text: String
    var questions: [Question]
  }

  var passage: Passage
  var idx: Int

  /// One example an answer option; `group` is paragraph-question.
  func examples(at place: String) throws -> [TaskExample] {
    let text = Verbaliser.trimmed(passage.text)
    let examples = try passage.questions.flatMap { question in
      try question.answers.map { answer in
        let group = "\(idx)-\(question.idx)"
        let label = try Verbaliser.index(of: answer.label, among: [0, 1], at: place)
        let prompt = Verbaliser.prompt(
          "Passage: \(text)", "Question: \(Verbaliser.trimmed(question.question))",
          "Is \"\(Verbaliser.trimmed(answer.text))\" a correct answer, yes or no?")
        return TaskExample(
          id: "\(group)-\(answer.idx)", group: group, source: "\(idx)", prompt: prompt, choices: Verbaliser.noYes, label: label)
      }
    }
    guard !examples.isEmpty else { throw Fault(.invalidData, "the passage has no question with an answer", at: place) }
    return examples
  }
}
