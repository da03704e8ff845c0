package import Audit
import Diagnostics
import Kernels

/// A private attribute of a document, the kind of source that it is from, by logistic regression on the mean of its states. It learns on public text
/// whose attribute is known, sent through the attacker's copy of A and the published noise. Its twin, trained on shuffled labels, must be worthless.
package struct AttributeInference: InferenceAttack {
  package static let description = MethodDescription(
    name: "attribute", summary: "from which of two kinds of source is the document: logistic regression on its mean state",
    paper: "attribute inference from embeddings, Song and Raghunathan 2020", deviations: "trained under the defense's own noise law",
    cost: "one forward through p blocks of the public text", knowledge: .k1, channels: [.inputHiddenStates],
    settings: ["penalty": "L2 penalty of the standardised weights, default 0.01"])

  package static let rules: [String: SettingRule] = ["penalty": .number(0...1_000)]
  package static let needs: Set<InferenceNeed> = [.attributes]

  private let penalty: Double

  package init(_ settings: [String: SettingValue]) throws {
    penalty = try SettingReader(settings, of: Self.description.name).real("penalty", default: 0.01, in: 0...1_000)
  }

  package func infer(_ view: AdversaryView, with means: InferenceMeans, progress: (Double) throws -> Void) throws -> [InferenceAnswer] {
    let observation = try view.required(.inputHiddenStates, by: Self.description.name)
    guard let attributes = means.attributes, Set(attributes) == [0, 1] else {
      throw Fault(
        .invalidData, "\(Self.description.name) learns from public text of two kinds, and there is none",
        hint: "threat_model.auxiliary: prose-and-dialogue")
    }
    let sigma = observation.noise.sigma == nil ? NoiseEstimate.sigma(of: view, means.attacker) : nil
    let rehearsal = means.attacker.rehearsal(like: view, passages: 0..<attributes.count, sigma: sigma, stream: "attribute")
    guard let states = rehearsal.view.observations[.inputHiddenStates], rehearsal.view.documents == attributes.count,
      states.values.columns == observation.values.columns
    else {
      throw Fault(
        .invalidData, "\(rehearsal.view.documents) public passages for \(attributes.count) attributes, or states of another width")
    }
    try progress(0.4)
    let examples = (0..<rehearsal.view.documents).map { Self.pooled(states.values, rehearsal.view.range(of: $0)) }
    let documents = (0..<view.documents).map { Self.pooled(observation.values, view.range(of: $0)) }
    let labels = attributes.map { $0 == 1 }
    var generator = CounterRandom(seed: means.attacker.trainingSeed, stream: "attribute/shuffled").generator()
    let shuffled = labels.shuffled(using: &generator)
    func answer(_ labels: [Bool], isControl: Bool) -> InferenceAnswer {
      let model = LogisticRegression(examples, labels: labels, penalty: penalty)
      return InferenceAnswer(.attribute, .scores(documents.map(model.score), threshold: 0), isControl: isControl)
    }
    let found = answer(labels, isControl: false)
    try progress(0.7)
    return [found, answer(shuffled, isControl: true)]
  }

  /// Mean of rows `range`, [C]; zeros without a row.
  static func pooled(_ states: Matrix, _ range: Range<Int>) -> [Double] {
    var out = [Double](repeating: 0, count: states.columns)
    for r in range { for (c, value) in states[row: r].enumerated() { out[c] += Double(value) / Double(range.count) } }
    return out
  }
}
