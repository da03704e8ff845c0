package import Audit

/// O6: without padding the rows of a message count the tokens of the prompt, and the decoding steps those of the answer.
package struct MetadataLength: InferenceAttack {
  package static let description = MethodDescription(
    name: "metadata-length", summary: "lengths of prompt and answer, from the traffic alone",
    paper: "side channels of language model traffic, Weiss et al. 2024", cost: "none", knowledge: .k0, channels: [.lengths])

  package init(_ settings: [String: SettingValue]) throws {}

  package func infer(_ view: AdversaryView, with means: InferenceMeans, progress: (Double) throws -> Void) throws -> [InferenceAnswer] {
    let answers = (0..<view.documents).map { view.range(of: $0).count - view.promptLengths[$0] }
    let prompts = InferenceAnswer(.promptLength, .classes(view.promptLengths))
    return answers.contains { $0 > 0 } ? [prompts, InferenceAnswer(.answerLength, .classes(answers))] : [prompts]
  }
}
