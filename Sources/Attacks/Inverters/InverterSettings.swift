import Audit

/// Settings that all learned inverters share.
struct InverterSettings: Sendable {
  var steps: Int
  var rowsPerStep: Int
  var budgetSeconds: Double
  /// Whether s is estimated from the view where σ is withheld.
  var estimatesSigma: Bool

  static let rules: [String: SettingRule] = [
    "steps": .integer(0...1_000_000), "rows_per_step": .integer(1...65_536), "budget_seconds": .number(0...1e6),
    "noise_estimate": .integer(0...1),
  ]

  static let texts = [
    "steps": "training steps, default 200; 0 leaves linear discriminant analysis", "rows_per_step": "positions a step, default 512",
    "budget_seconds": "training stops after so many seconds, default 240; a run that it cuts short depends on the machine's speed",
    "noise_estimate":
      "where sigma is withheld: 1 (default) estimates it from first positions, whose codebook is exact, 0 assumes noise as strong as the states",
  ]

  init(_ reader: SettingReader) throws {
    steps = try reader.integer("steps", default: 200, in: 0...1_000_000)
    rowsPerStep = try reader.integer("rows_per_step", default: 512, in: 1...65_536)
    budgetSeconds = try reader.real("budget_seconds", default: 240, in: 0...1e6)
    estimatesSigma = try reader.integer("noise_estimate", default: 1, in: 0...1) == 1
  }

  func recipe(_ architecture: InverterRecipe.Architecture, width: Int, isMatched: Bool, _ task: InverterTask) -> InverterRecipe {
    InverterRecipe(
      architecture, width: width, steps: steps, isMatched: isMatched, knowsSigma: task.noise.sigma != nil || estimatesSigma,
      sigma: task.sigma, rowsPerStep: rowsPerStep, budgetSeconds: budgetSeconds)
  }

  /// Share of progress that training is given.
  static let trainingShare = 0.9
}
