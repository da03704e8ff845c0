package import Audit

/// A2: a network trained on public text through public weights and the published noise reads the token of every position from its state. All
/// positions are read at once; nothing is decoded.
///
/// With `source: cache` (ours) the same network reads a captured cache: keys and values of one server block, up to which the public text is run, noise
/// included.
package struct LearnedInverter: Attack {
  enum Architecture: String, CaseIterable { case linear, mlp, gru }
  enum TrainingNoise: String, CaseIterable { case spread, matched }

  package static let description = MethodDescription(
    name: "learned-inverter", summary: "a network trained on public text reads each token from its state",
    paper: "SIP, Chen et al. 2024 (GRU); Luo et al. 2025 (linear, MLP)",
    deviations:
      "the d-to-vocabulary layer is a d-to-d layer before the public codebook of the cut, in coordinates where the residual of context and noise "
      + "is white, and starts as linear discriminant analysis; MLP and GRU are added to it and start as zero; the MLP is a quarter as wide as "
      + "published (width 4 restores it); the GRU reads both ways; training text is mixed with made-up passages so that every token occurs; "
      + "first positions are read from the codebook; reads caches too",
    cost: "up to four minutes of training per cut and noise level on two cores, kept in checkpoints/inverters; then one product a position",
    knowledge: .k1, channels: [.inputHiddenStates],
    settings: InverterSettings.texts.merging([
      "architecture": "linear (default), mlp or gru",
      "width": "gru: hidden units in each direction, default 256; mlp: factor of the widths d, 2d, 2d, d, default 1, at most 8",
      "training_noise": "spread (default) trains at 0, s/2, s and 2s, half of it at s; matched at s alone",
    ]) { $1 }.merging(InverterSource.texts) { $1 })

  package static let rules: [String: SettingRule] = InverterSettings.rules.merging([
    "architecture": .choice(Architecture.allCases.map(\.rawValue)), "width": .integer(1...4096),
    "training_noise": .choice(TrainingNoise.allCases.map(\.rawValue)),
  ]) { $1 }.merging(InverterSource.rules) { $1 }

  private let settings: InverterSettings
  private let architecture: Architecture
  private let width: Int
  private let noise: TrainingNoise
  private let source: InverterSource

  package var reads: [Channel] { source.channels }

  package init(_ settings: [String: SettingValue]) throws {
    let reader = SettingReader(settings, of: Self.description.name)
    self.settings = try InverterSettings(reader)
    architecture = try reader.choice("architecture", default: .linear)
    // A perceptron's layers have (2 · width · d)² weights.
    width = try reader.integer("width", default: architecture == .gru ? 256 : 1, in: 1...(architecture == .mlp ? 8 : 4096))
    noise = try reader.choice("training_noise", default: .spread)
    source = try InverterSource(settings, of: Self.description.name)
  }

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    let (task, observed) = try source.task(view, means, estimatingSigma: settings.estimatesSigma)
    let recipe = settings.recipe(.init(rawValue: architecture.rawValue)!, width: width, isMatched: noise == .matched, task)
    return try means.inverter(recipe, task) { try progress(InverterSettings.trainingShare * $0) }
      .reconstruct(view, observed, means) {
        try progress(InverterSettings.trainingShare + (1 - InverterSettings.trainingShare) * $0)
      }
  }
}
