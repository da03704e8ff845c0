package import SplitLearning

/// One audit, as a YAML plan describes it: what is attacked, what the attacker sees and knows, how it is defended, and the grid to sweep.
///
/// Decoded by `init(contentsOf:known:)`; every value has been checked, defaults are filled in.
package struct AuditPlan: Sendable {
  /// Name of the suite, a folder name: lowercase letters, digits and `-`.
  package var name: String
  package var version: Int
  package var description: String
  /// What the plan reproduces or follows, or nil.
  package var paper: String?
  package var model: ModelPlan
  package var threatModel: ThreatModel
  package var dataset: DatasetPlan
  package var defense: DefensePlan
  package var attacks: [AttackPlan]
  /// Attacks on properties of documents instead of their tokens; empty without any.
  package var inference: [AttackPlan]
  package var metrics: [String]
  package var seeds: [Int]
  /// Positions at which every cell is compared with the Bayes reference (exhaustive, oracle prefix); 0 for none.
  package var reference: Int
  /// The victim's fine-tuning, or nil when it runs the public checkpoint.
  package var victim: VictimPlan?
  /// What of the server's tensors and of training is recorded; nil for what is the default.
  package var capture: CapturePlan?
  /// Clipping and noise on ∂L/∂h_B, or nil.
  package var gradientDefense: GradientDefensePlan?
  /// Task accuracies to show beside the leakage, or nil.
  package var task: TaskReference?
  /// A union of grids; empty without a sweep.
  package var sweep: [SweepGrid]

  /// The tree as written, with the overrides in it: what `overriding` and `cells` start from.
  let tree: PlanNode
  let known: KnownNames
  /// The file that the plan came from, as shown in messages.
  let origin: String
}

/// The checkpoint and where it is cut.
package struct ModelPlan: Sendable, Hashable {
  /// A name under checkpoints/, or a path to a GGUF file or a Hugging Face folder.
  package var checkpoint: String
  package var partition: PartitionPoints

  /// True when `checkpoint` is a path: it has a `/` or ends in `.gguf`.
  package var isPath: Bool { ModelPlan.isPath(checkpoint) }
  static func isPath(_ checkpoint: String) -> Bool { checkpoint.contains("/") || checkpoint.hasSuffix(".gguf") }
}

/// The private texts.
package struct DatasetPlan: Sendable, Hashable {
  package enum Source: Sendable, Hashable {
    case named(String, split: String)
    /// The user's own file, relative to the working directory; `column` for JSONL and CSV.
    case file(path: String, column: String?)
  }

  package var source: Source
  /// At most this many documents; nil takes all of a file.
  package var limit: Int?
  /// Documents with fewer tokens are left out.
  package var minTokens: Int
  /// Longer documents are cut to at most this many tokens.
  package var maxTokens: Int
  /// How often the client sends each document, each time with fresh noise (epochs of training, retries), in an order of its own.
  package var repeats = 1
  /// Tokens that the split model writes in answer to each document, one state each way a token; they become part of what is attacked.
  package var responses = 0
  /// Share of the documents that is among the victim's fine-tuning texts; the others are not. Nil: none is.
  package var members: Double?
}

/// A defense by name, its noise in one unit, and its other settings.
package struct DefensePlan: Sendable, Hashable {
  package var name: String
  package var noise: NoiseAmount?
  /// L2 bound of a row of hidden states before noise, activation units; nil without clipping.
  package var clip: Double?
  package var settings: [String: SettingValue]

  package init(name: String, noise: NoiseAmount? = nil, clip: Double? = nil, settings: [String: SettingValue] = [:]) {
    (self.name, self.noise, self.clip, self.settings) = (name, noise, clip, settings)
  }
}

/// How much noise, in one of four units; never a bare number.
package enum NoiseAmount: Sendable, Hashable {
  /// Mean absolute value of the noise per coordinate, activation units (the unit of the FedSEA-LLaMA paper).
  case meanAbsolute(Double)
  /// Standard deviation per coordinate, activation units.
  case sigma(Double)
  /// mean|noise| / mean|h| measured at the cut on public text.
  case relative(Double)
  /// (ε, δ) of one release; needs `DefensePlan.clip`.
  case privacy(epsilon: Double, delta: Double)

  /// Plan keys and values, for example `["relative": 0.9]`.
  package var keys: [String: Double] {
    switch self {
    case .meanAbsolute(let value): ["mean_abs": value]
    case .sigma(let value): ["sigma": value]
    case .relative(let value): ["relative": value]
    case .privacy(let epsilon, let delta): ["epsilon": epsilon, "delta": delta]
    }
  }

  /// For a cell name: `relative0.9`, `epsilon8`.
  package var label: String {
    switch self {
    case .meanAbsolute(let value): "mean_abs\(SettingValue.number(value).label)"
    case .sigma(let value): "sigma\(SettingValue.number(value).label)"
    case .relative(let value): "relative\(SettingValue.number(value).label)"
    case .privacy(let epsilon, let delta):
      "epsilon\(SettingValue.number(epsilon).label)-delta\(SettingValue.number(delta).label)"
    }
  }
}

/// One attack of a plan.
package struct AttackPlan: Sendable, Hashable {
  package var name: String
  package var settings: [String: SettingValue]
  /// Unique in the plan: the name, and when the plan lists a name more than once, the settings that tell its entries apart
  /// (`nearest-embedding-l2`).
  package var label: String
  /// How many documents it is run on in each cell, where it is too slow for all of them; nil for all.
  package var documents: Int?

  package init(name: String, settings: [String: SettingValue] = [:], label: String? = nil, documents: Int? = nil) {
    (self.name, self.settings, self.label, self.documents) = (name, settings, label ?? name, documents)
  }

  /// The documents of a cell that the attack is run on, of `count`: seed after seed takes the next ones and goes round, so that seeds 1, 2, 3 with 34
  /// documents see all of 100. Nil for all.
  package func chosen(of count: Int, seed: Int) -> [Int]? {
    guard let documents, documents < count else { return nil }
    let turns = count / gcd(documents, count)
    let start = (((seed &- 1) % turns + turns) % turns) * documents
    return (0..<documents).map { (start + $0) % count }
  }

  private func gcd(_ a: Int, _ b: Int) -> Int { b == 0 ? a : gcd(b, a % b) }
}

/// One grid of a sweep: the product of its axes, the first axis slowest.
package struct SweepGrid: Sendable {
  package var axes: [SweepAxis]
}

package struct SweepAxis: Sendable {
  /// Dotted key, for example `model.partition.input`.
  package var key: String
  package var values: [SettingValue] { nodes.map(\.setting) }
  let nodes: [PlanNode]
  let place: PlanPlace
}
