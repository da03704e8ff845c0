/// The prompt of the two entailment tasks.
private func entailmentPrompt(_ premise: String, _ hypothesis: String, answers: String) -> String {
  Verbaliser.prompt(
    "Premise: \(Verbaliser.trimmed(premise))", "Hypothesis: \(Verbaliser.ending(hypothesis, with: "."))",
    "Question: Is the hypothesis entailed by the premise, \(answers)?")
}

/// CommitmentBank (de Marneffe et al. 2019): entailment, contradiction or neither.
struct CommitmentBank: Decodable {
  var premise: String
  var hypothesis: String
  var label: String
  var idx: Int

  func examples(at place: String) throws -> [TaskExample] {
    let label = try Verbaliser.index(of: label, among: ["contradiction", "entailment", "neutral"], at: place)
    let prompt = entailmentPrompt(premise, hypothesis, answers: "yes, no or maybe")
    return [TaskExample(id: "\(idx)", prompt: prompt, choices: [" no", " yes", " maybe"], label: label)]
  }
}

/// Recognizing Textual Entailment (Dagan et al. 2006 and later rounds).
struct RTE: Decodable {
  var premise: String
  var hypothesis: String
  var label: String
  var idx: Int

  func examples(at place: String) throws -> [TaskExample] {
    let label = try Verbaliser.index(of: label, among: ["not_entailment", "entailment"], at: place)
    let prompt = entailmentPrompt(premise, hypothesis, answers: "yes or no")
    return [TaskExample(id: "\(idx)", prompt: prompt, choices: Verbaliser.noYes, label: label)]
  }
}
