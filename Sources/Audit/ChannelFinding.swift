/// What one run found about one channel in one cell: the strongest attack on it, or why nothing can be said.
package struct ChannelFinding: Sendable, Codable, Equatable {
  package var channel: String
  /// Empty where no cell has a result.
  package var cell: String
  package var settings: [String: SettingValue]
  /// The metric that the channel is judged by.
  package var metric: String?
  package var bestAttack: String?
  package var mean: Double?
  package var ci95: [Double]?
  package var gainOverBaseline: Double?
  package var gainCI95: [Double]?
  /// Seconds of the best attack, and of all attacks on the channel in the cell.
  package var seconds: Double?
  package var allSeconds: Double?
  /// Documents.
  package var n: Int?
  /// Attacks that gave a result.
  package var attacks: Int
  /// Why there is no result, one sentence.
  package var notApplicable: String?
  /// Attacks of this release that begin with the channel and that the plan left out: what was found is the best of those that were asked.
  package var notAsked: [String]?
  /// Attacks of this release that begin with the channel and have nothing to do in the plan: "name: why".
  package var inapplicable: [String]?

  package init(
    channel: String, cell: String = "", settings: [String: SettingValue] = [:], metric: String? = nil, attacks: Int = 0,
    notApplicable: String? = nil
  ) {
    (self.channel, self.cell, self.settings, self.metric) = (channel, cell, settings, metric)
    (self.attacks, self.notApplicable) = (attacks, notApplicable)
  }

  enum CodingKeys: String, CodingKey {
    case channel, cell, settings, metric, bestAttack = "best_attack", mean, ci95, gainOverBaseline = "gain_over_baseline"
    case gainCI95 = "gain_ci95", seconds, allSeconds = "all_seconds", n, attacks, notApplicable = "not_applicable", notAsked = "not_asked"
    case inapplicable = "inapplicable_attacks"
  }
}

/// The server computes keys, values, queries and maps from h̃_A with its own weights, so no attack on them can beat the best attack on h̃_A itself (data
/// processing). Where one does, an attack on h̃_A is missing or weak.
package struct InternalChannelCheck: Sendable, Codable, Equatable {
  package var cell: String
  package var channel: String
  package var attack: String
  /// Token accuracy of the best attack on the channel, and on h̃_A.
  package var accuracy: Double
  package var stateAccuracy: Double
  /// Upper end of h̃_A's and lower end of the channel's 95 % interval.
  package var bound: Double
  package var low: Double
  package var passed: Bool

  package init(cell: String, channel: String, attack: String, accuracy: Double, stateAccuracy: Double, bound: Double, low: Double) {
    (self.cell, self.channel, self.attack) = (cell, channel, attack)
    (self.accuracy, self.stateAccuracy, self.bound, self.low) = (accuracy, stateAccuracy, bound, low)
    passed = low <= bound
  }

  enum CodingKeys: String, CodingKey { case cell, channel, attack, accuracy, stateAccuracy = "state_accuracy", bound, low, passed }
}

/// Task accuracy of the split model, fine-tuned under the noise of a cell: what a defense costs, beside what it hides.
package struct TaskAccuracy: Sendable, Codable, Equatable {
  package var task: String
  package var metric: String
  package var partitionInput: Int
  package var partitionOutput: Int
  /// mean|ε| / mean|h|, where the training plan gave it.
  package var relative: Double?
  package var seed: Int
  /// Fraction of held-out examples, before and after fine-tuning.
  package var before: Double
  package var after: Double
  package var ci95: [Double]
  package var examples: Int
  /// Where it comes from: the folder of a training run and its commit.
  package var source: String

  package init(
    task: String, metric: String, partitionInput: Int, partitionOutput: Int, relative: Double?, seed: Int, before: Double, after: Double,
    ci95: [Double], examples: Int, source: String
  ) {
    (self.task, self.metric, self.partitionInput, self.partitionOutput) = (task, metric, partitionInput, partitionOutput)
    (self.relative, self.seed, self.before, self.after) = (relative, seed, before, after)
    (self.ci95, self.examples, self.source) = (ci95, examples, source)
  }

  enum CodingKeys: String, CodingKey {
    case task, metric, partitionInput = "partition_input", partitionOutput = "partition_output", relative, seed, before, after, ci95
    case examples, source
  }
}
