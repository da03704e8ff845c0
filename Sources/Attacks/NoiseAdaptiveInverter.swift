package import Audit

/// A3: three inverters, trained for no, stated and threefold noise, and a gate that sees the state and weighs them: for noise of unknown size.
package struct NoiseAdaptiveInverter: Attack {
  package static let description = MethodDescription(
    name: "noise-adaptive-inverter", summary: "a mixture of inverters for three noise levels, weighed by a gate that sees the state",
    paper: "NaMoE of BiSR, Chen et al. 2024",
    deviations:
      "experts are linear, before the public codebook of the cut, and start as linear discriminant analysis for their noise; the gate is a small "
      + "perceptron that first learns to tell the three noises apart; stages are counted in steps (60 % experts, 25 % gate, 15 % joint) and end "
      + "early on held-out text; an expert that knows held-out text better than the gate reads alone",
    cost: "as learned-inverter", knowledge: .k1, channels: [.inputHiddenStates], settings: InverterSettings.texts)

  package static let rules = InverterSettings.rules

  private let settings: InverterSettings

  package init(_ settings: [String: SettingValue]) throws {
    self.settings = try InverterSettings(SettingReader(settings, of: Self.description.name))
  }

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    let observation = try view.required(.inputHiddenStates, by: Self.description.name)
    let task = InverterTask(view, means, estimatingSigma: settings.estimatesSigma)
    let recipe = settings.recipe(.mixture, width: 1, isMatched: false, task)
    return try means.inverter(recipe, task) { try progress(InverterSettings.trainingShare * $0) }
      .reconstruct(view, observation.values, means) {
        try progress(InverterSettings.trainingShare + (1 - InverterSettings.trainingShare) * $0)
      }
  }
}
