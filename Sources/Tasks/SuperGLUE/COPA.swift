import Diagnostics

/// Choice of Plausible Alternatives (Roemmele et al. 2011): the likelier cause or effect of a premise.
struct COPA: Decodable {
  var premise: String
  var choice1: String
  var choice2: String
  var question: String
  var label: Int
  var idx: Int

  func examples(at place: String) throws -> [TaskExample] {
    let label = try Verbaliser.index(of: label, among: [0, 1], at: place)
    guard ["cause", "effect"].contains(question) else {
      throw Fault(.invalidData, "the question \"\(question)\" is unknown", at: place, hint: "expected one of: cause, effect")
    }
    let prompt = Verbaliser.prompt(
      "Premise: \(Verbaliser.trimmed(premise))", "A: \(Verbaliser.trimmed(choice1))", "B: \(Verbaliser.trimmed(choice2))",
      "Question: Which is the more likely \(question) of the premise, A or B?")
    return [TaskExample(id: "\(idx)", prompt: prompt, choices: [" A", " B"], label: label)]
  }
}
