/// How the victim has fine-tuned its copy of the model before it is attacked: low-rank adapters on every block, next-token loss, on text of the
/// same source as the documents under attack (other passages of it). Without a plan the victim runs the public checkpoint as it is.
package struct VictimPlan: Sendable, Hashable {
  package var steps: Int
  /// Passages a step.
  package var batch: Int
  package var rank: Int
  package var learningRate: Double
  /// Passages beside the members of `dataset.members` that it is fine-tuned on.
  package var passages: Int

  package init(steps: Int = 200, batch: Int = 4, rank: Int = 8, learningRate: Double = 5e-4, passages: Int = defaultPassages) {
    (self.steps, self.batch, self.rank, self.learningRate, self.passages) = (steps, batch, rank, learningRate, passages)
  }

  package static let defaultPassages = 400
  static let keys = ["steps", "batch", "rank", "learning_rate", "passages"]

  init(_ value: PlanValue) throws {
    let map = try PlanMap(value.node, path: value.path, keys: Self.keys)
    self.init(
      steps: try map.optional("steps")?.integer(in: 1...100_000) ?? 200, batch: try map.optional("batch")?.integer(in: 1...1_024) ?? 4,
      rank: try map.optional("rank")?.integer(in: 1...1_024) ?? 8,
      learningRate: try map.optional("learning_rate")?.number(in: 1e-9...1) ?? 5e-4,
      passages: try map.optional("passages")?.integer(in: 0...100_000) ?? Self.defaultPassages)
  }

  package var resolved: SettingValue {
    var map: [String: SettingValue] = [
      "steps": .number(Double(steps)), "batch": .number(Double(batch)), "rank": .number(Double(rank)),
      "learning_rate": .number(learningRate),
    ]
    // Left out where it is the default, so that victims that are kept are found again.
    if passages != Self.defaultPassages { map["passages"] = .number(Double(passages)) }
    return .map(map)
  }
}
