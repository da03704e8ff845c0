package import Audit
import Diagnostics
import Checkpoints
import Kernels
import Llama
import SplitLearning

/// Membership by calibrated loss: a document that the victim was fine-tuned on is likelier under its model than under the public one,
///
///     score = loss_public(x̂) − loss_victim(x̂), nats a token
///
/// with x̂ what the server reads from the states. The victim's loss comes from what the server holds: its own h_B, or h̃_A where h_B was not recorded,
/// carried on through the attacker's copy of the remaining blocks.
package struct MembershipLoss: InferenceAttack {
  enum Source: String, CaseIterable { case observed, weights }
  enum Calibration: String, CaseIterable { case ratio, none }

  package static let description = MethodDescription(
    name: "membership-loss", summary: "was the document fine-tuned on: its loss in the split, less its loss under the public model",
    paper: "Yeom et al. 2018; calibration by a reference model as Carlini et al. 2021 and Watson et al. 2022",
    deviations: "the attacker is not given the text: it is read from the states first; h_B or h̃_A takes the place of a query",
    cost: "sequential-matching with 512 candidates, then one model forward a document", knowledge: .k1,
    channels: [.outputHiddenStates, .inputHiddenStates], occasion: .membership,
    settings: [
      "source":
        "observed (default): the loss that the recorded states give; weights: that of the text read, under the attacker's whole model",
      "calibration": "ratio (default): less the public model's loss; none",
    ])

  package static let rules: [String: SettingRule] = [
    "source": .choice(Source.allCases.map(\.rawValue)), "calibration": .choice(Calibration.allCases.map(\.rawValue)),
  ]

  private let source: Source
  private let calibration: Calibration

  package init(_ settings: [String: SettingValue]) throws {
    let reader = SettingReader(settings, of: Self.description.name)
    source = try reader.choice("source", default: .observed)
    calibration = try reader.choice("calibration", default: .ratio)
  }

  package func infer(_ view: AdversaryView, with means: InferenceMeans, progress: (Double) throws -> Void) throws -> [InferenceAnswer] {
    if source == .weights, means.attacker.knowledge < .k2 {
      throw Fault(
        .invalidData, "source: weights needs the victim's weights (K2)", hint: "source: observed, or threat_model.knowledge: K2")
    }
    let texts = try Reading.texts(view, Self.description.name, means.attacker) { try progress(0.8 * $0) }
    let own = try source == .weights ? DocumentLoss.of(texts, means.attacker.model) : Self.observed(texts, view, means.attacker)
    try progress(0.9)
    let reference = calibration == .ratio ? DocumentLoss.of(texts, means.publicModel) : texts.map { _ in 0 }
    return [InferenceAnswer(.membership, .scores(zip(reference, own).map { $0 - $1 }, threshold: nil))]
  }

  /// The loss that the recorded states give, through the attacker's copy of the blocks behind them.
  static func observed(_ texts: [[Int32]], _ view: AdversaryView, _ means: AttackerMeans) throws -> [Double] {
    if let returned = view.observations[.outputHiddenStates] {
      return DocumentLoss.of(
        texts, from: returned.values, view: view, after: means.model.configuration.blocks - view.partition.output, means.model)
    }
    let sent = try view.required(.inputHiddenStates, by: description.name)
    return DocumentLoss.of(texts, from: sent.values, view: view, after: view.partition.input, means.model)
  }
}
