package import Audit
import Kernels
import Llama

/// A1: reads the state with the model's own norm and head (the "logit lens", nostalgebraist 2020). The head predicts the *next* token, so with
/// `shift: 1` the guess at position t is read from the state at t − 1.
package struct HeadReading: Attack {
  package static let description = MethodDescription(
    name: "head-reading", summary: "argmax of the model's head on the state",
    paper: "BEI, Luo et al. 2025; logit lens, nostalgebraist 2020",
    cost: "one product with the head", knowledge: .k1, channels: [.inputHiddenStates],
    settings: ["shift": "0 (default) reads the token from its own state, 1 from the state before it"])

  package static let rules: [String: SettingRule] = ["shift": .integer(0...1)]

  private let shift: Int

  package init(_ settings: [String: SettingValue]) throws {
    shift = try SettingReader(settings, of: Self.description.name).integer("shift", default: 0, in: 0...1)
  }

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    let observation = try view.required(.inputHiddenStates, by: Self.description.name)
    var states = observation.values
    if shift == 1 {
      for document in 0..<view.documents {
        for row in view.range(of: document).dropFirst().reversed() { states[row: row] = states[row: row - 1] }
      }
    }
    return try ScoreTable.reconstruct(view, states, calibrated: false, means.model.compute, progress) { states, _ in
      means.model.head.logits(states)
    }
  }
}
