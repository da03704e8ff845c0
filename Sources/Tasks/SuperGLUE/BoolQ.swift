/// BoolQ (Clark et al. 2019): a passage and a yes-or-no question about it.
struct BoolQ: Decodable {
  var passage: String
  var question: String
  var label: Bool
  var idx: Int

  func examples(at place: String) throws -> [TaskExample] {
    let prompt = Verbaliser.prompt(
      "Passage: \(Verbaliser.trimmed(passage))", "Question: \(Verbaliser.ending(question, with: "?"))")
    return [TaskExample(id: "\(idx)", prompt: prompt, choices: Verbaliser.noYes, label: label ? 1 : 0)]
  }
}
