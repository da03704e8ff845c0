/// Measurements whose right answer is known: they say whether the run can be believed, not what leaked.
package struct Controls: Sendable, Codable, Equatable {
  /// One per partition of the run.
  package var plantedLeaks: [PlantedLeakControl]
  /// One per partition of a run whose attacks on the states learn from public text, and one per cell and attack of that kind that the plan names.
  package var shuffled: [ShuffledControl]

  /// One per cell and channel that the server computes from h̃_A, where both were attacked; nil in records of earlier releases.
  package var internalChannels: [InternalChannelCheck]?
  /// Controls that gave no result, one sentence each; nil if all did.
  package var missing: [String]?

  package init(
    plantedLeaks: [PlantedLeakControl] = [], shuffled: [ShuffledControl] = [], internalChannels: [InternalChannelCheck]? = nil,
    missing: [String] = []
  ) {
    (self.plantedLeaks, self.shuffled, self.internalChannels) = (plantedLeaks, shuffled, internalChannels)
    self.missing = missing.isEmpty ? nil : missing
  }

  enum CodingKeys: String, CodingKey { case plantedLeaks = "planted_leak", shuffled, internalChannels = "internal_channels", missing }

  /// Why the run is not valid, one sentence each; empty if every control behaved.
  package var problems: [String] {
    let leaks = plantedLeaks.filter { !$0.found }.map {
      "the leak planted at \($0.partition) was not found: \($0.attack) read \(Self.percent($0.accuracy)) of the tokens, expected at least "
        + "\(Self.percent($0.threshold)); the way from view to score is broken, so low scores mean nothing"
    }
    let shuffles = shuffled.filter { !$0.passed }.map {
      "\($0.attack), which was trained on shuffled labels, read \(Self.percent($0.accuracy)) of the tokens of \($0.cell), more than the "
        + "\(Self.percent($0.chance)) of chance; something tells attacks the truth, so high scores mean nothing"
    }
    let inequalities = (internalChannels ?? []).filter { !$0.passed }.map {
      "\($0.attack) read \(Self.percent($0.accuracy)) of the tokens of \($0.cell) from \($0.channel), which the server computes from states that gave "
        + "the best attack \(Self.percent($0.stateAccuracy)); an attack on the states is missing or too weak"
    }
    return leaks + shuffles + inequalities + (missing ?? [])
  }

  private static func percent(_ fraction: Double) -> String { SettingValue.number((fraction * 1000).rounded() / 10).label + " %" }
}

/// A known leak that a client of the runner's own sent: an attack of the suite has to find it.
package struct PlantedLeakControl: Sendable, Codable, Equatable {
  /// Cell whose documents were sent.
  package var cell: String
  /// For example `p = 2, q = 1`.
  package var partition: String
  package var attack: String
  /// Token accuracy of the attack on the planted view of at most eight documents.
  package var accuracy: Double
  /// Least accuracy that counts as found.
  package var threshold: Double
  package var found: Bool

  package init(cell: String, partition: String, attack: String, accuracy: Double, threshold: Double) {
    (self.cell, self.partition, self.attack) = (cell, partition, attack)
    (self.accuracy, self.threshold, found) = (accuracy, threshold, accuracy >= threshold)
  }
}

/// An attack whose training labels were shuffled: it must do no better than chance.
package struct ShuffledControl: Sendable, Codable, Equatable {
  package var cell: String
  package var attack: String
  /// Token accuracy.
  package var accuracy: Double
  /// Upper end of the unigram guess's 95 % interval in the same cell.
  package var chance: Double
  package var passed: Bool

  package init(cell: String, attack: String, accuracy: Double, chance: Double) {
    (self.cell, self.attack, self.accuracy, self.chance) = (cell, attack, accuracy, chance)
    passed = accuracy <= chance
  }
}

/// An attack that gave no result in a cell.
package struct AttackFailure: Sendable, Codable, Equatable {
  package var cell: String
  /// Label of the attack in the plan.
  package var attack: String
  /// What went wrong, one line; may quote a hostile program.
  package var message: String

  package init(cell: String, attack: String, message: String) {
    (self.cell, self.attack, self.message) = (cell, attack, message)
  }
}

extension AttackFailure {
  /// Whether the attack says that it does not apply here, which no second try would change.
  package var isNotApplicable: Bool { message.contains("not applicable:") }
}
