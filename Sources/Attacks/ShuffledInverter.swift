package import Audit

/// Control: the linear inverter, trained the same way on states whose labels have been dealt out anew. What it scores, an inverter scores
/// without having learned anything about states.
package struct ShuffledInverter: Attack {
  package static let description = MethodDescription(
    name: "shuffled-inverter", summary: "the linear inverter trained on shuffled labels", paper: "control", cost: "as learned-inverter",
    knowledge: .k1, channels: [.inputHiddenStates], isBaseline: true, settings: InverterSettings.texts.merging(InverterSource.texts) { $1 })

  package static let rules = InverterSettings.rules.merging(InverterSource.rules) { $1 }

  private let settings: InverterSettings
  private let source: InverterSource

  package var reads: [Channel] { source.channels }

  package init(_ settings: [String: SettingValue]) throws {
    self.settings = try InverterSettings(SettingReader(settings, of: Self.description.name))
    source = try InverterSource(settings, of: Self.description.name)
  }

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    let (task, observed) = try source.task(view, means, estimatingSigma: settings.estimatesSigma, isShuffled: true)
    let recipe = settings.recipe(.linear, width: 1, isMatched: false, task)
    return try means.inverter(recipe, task) { try progress(InverterSettings.trainingShare * $0) }
      .reconstruct(view, observed, means) {
        try progress(InverterSettings.trainingShare + (1 - InverterSettings.trainingShare) * $0)
      }
  }
}
