/// Word-in-Context (Pilehvar & Camacho-Collados 2019): has a word the same sense in two sentences?
struct WordInContext: Decodable {
  var word: String
  var sentence1: String
  var sentence2: String
  var label: Bool
  var idx: Int

  func examples(at place: String) throws -> [TaskExample] {
    let prompt = Verbaliser.prompt(
      "Sentence 1: \(Verbaliser.trimmed(sentence1))", "Sentence 2: \(Verbaliser.trimmed(sentence2))",
      "Question: Is the word \"\(word)\" used in the same sense in both sentences?")
    return [TaskExample(id: "\(idx)", prompt: prompt, choices: Verbaliser.noYes, label: label ? 1 : 0)]
  }
}
