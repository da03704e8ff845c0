package import Audit
import Diagnostics

/// Whether the model answered a bare yes or no: such an answer takes few decoding steps.
package struct MetadataAnswer: InferenceAttack {
  package static let description = MethodDescription(
    name: "metadata-answer", summary: "was the answer a bare yes or no, from the number of decoding steps",
    paper: "side channels of language model traffic, Weiss et al. 2024", cost: "none", knowledge: .k0, channels: [.lengths],
    occasion: .answers,
    settings: ["most_steps": "an answer of more steps is none, default 3"])

  package static let rules: [String: SettingRule] = ["most_steps": .integer(1...100)]

  private let mostSteps: Int

  package init(_ settings: [String: SettingValue]) throws {
    mostSteps = try SettingReader(settings, of: Self.description.name).integer("most_steps", default: 3, in: 1...100)
  }

  package func infer(_ view: AdversaryView, with means: InferenceMeans, progress: (Double) throws -> Void) throws -> [InferenceAnswer] {
    let steps = (0..<view.documents).map { view.range(of: $0).count - view.promptLengths[$0] }
    guard steps.contains(where: { $0 > 0 }) else {
      throw Fault(.invalidData, "\(Self.description.name) reads the decoding of answers, and there is none", hint: "dataset.responses")
    }
    // Fewer steps speak for yes or no.
    return [InferenceAnswer(.yesNoAnswer, .scores(steps.map { -Double($0) }, threshold: -Double(mostSteps) - 0.5))]
  }
}
