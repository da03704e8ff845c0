/// record.json: everything about one run that a reader needs to trust or refute it. Keys are sorted, numbers are numbers.
package struct AuditRecord: Sendable, Codable, Equatable {
  /// 1: before controls were recorded; 2: with `controls`, `valid`, `failures` and intervals of gains.
  package var schemaVersion = 2
  package var runID: String
  /// True once every cell of the sweep has a result; a partial record is valid but incomplete.
  package var complete: Bool
  /// True if the run may enter a leaderboard: complete, controls behaved, no flags that change the protocol.
  package var eligible: Bool
  package var created: String
  package var plan: SettingValue
  package var planSHA256: String
  package var versions: [String: String]
  package var commit: String
  package var host: HostDescription
  package var checkpoint: CheckpointDescription
  package var dataset: DatasetDescription
  package var threatModel: ThreatModel
  package var defense: SettingValue
  package var results: [CellResult]
  package var utility: [UtilityResult]
  package var margins: [MarginHistogram]
  package var timings: [String: Double]
  package var warnings: [String]
  /// What crosses the trust boundary and whether the defense covers it; nil when the run did not state it.
  package var coverage: [ChannelCoverage]?
  /// How far attacks stay behind the Bayes reference; nil when the plan did not ask for it.
  package var references: [ReferenceResult]?
  /// The command line that made this record, one argument an element; nil when it was not kept.
  package var invocation: [String]?
  /// What the attacks that ran are, in their catalog's words; nil when it was not kept.
  package var attacks: [MethodDescription]?
  /// Whether the controls behaved as they must; nil when none was run. An invalid run supports no conclusion.
  package var valid: Bool?
  /// Why the run is not valid, one sentence each; empty otherwise.
  package var invalidReasons: [String]?
  /// What the controls did; nil when none was run.
  package var controls: Controls?
  /// Attacks that gave no result in a cell, and why; the other attacks of the cell went on.
  package var failures: [AttackFailure]?
  /// Channel by channel, the best attack in every cell or why there is none; nil in records of earlier releases.
  package var channels: [ChannelFinding]?
  /// What the split model can still do, fine-tuned under the noise; nil when the plan did not ask for it.
  package var task: [TaskAccuracy]?
  /// What was inferred about documents; nil when the plan did not ask for it.
  package var inference: [InferenceResult]?

  package init(
    runID: String, complete: Bool, eligible: Bool, created: String, plan: SettingValue, planSHA256: String, versions: [String: String],
    commit: String, host: HostDescription, checkpoint: CheckpointDescription, dataset: DatasetDescription, threatModel: ThreatModel,
    defense: SettingValue, results: [CellResult] = [], utility: [UtilityResult] = [], margins: [MarginHistogram] = [],
    timings: [String: Double] = [:], warnings: [String] = [], coverage: [ChannelCoverage]? = nil, invocation: [String]? = nil,
    attacks: [MethodDescription]? = nil, references: [ReferenceResult]? = nil, controls: Controls? = nil, failures: [AttackFailure]? = nil,
    inference: [InferenceResult]? = nil
  ) {
    (self.runID, self.complete, self.eligible, self.created) = (runID, complete, eligible, created)
    (self.plan, self.planSHA256, self.versions, self.commit) = (plan, planSHA256, versions, commit)
    (self.host, self.checkpoint, self.dataset, self.threatModel) = (host, checkpoint, dataset, threatModel)
    (self.defense, self.results, self.utility, self.margins) = (defense, results, utility, margins)
    (self.timings, self.warnings) = (timings, warnings)
    (self.coverage, self.invocation, self.attacks, self.references) = (coverage, invocation, attacks, references)
    (self.controls, self.failures, self.inference) = (controls, failures, inference)
    invalidReasons = controls?.problems
    valid = invalidReasons?.isEmpty
  }

  enum CodingKeys: String, CodingKey {
    case schemaVersion = "schema_version", runID = "run_id", complete, eligible, created, plan, planSHA256 = "plan_sha256", versions, commit
    case host, checkpoint, dataset, threatModel = "threat_model", defense, results, utility, margins, timings, warnings, coverage
    case invocation, attacks, references, valid, invalidReasons = "invalid_reasons", controls, failures, channels, task, inference
  }
}

package struct HostDescription: Sendable, Codable, Equatable {
  package var cpu: String
  package var threads: Int
  /// The library and instruction set that really ran the matrix products, for example `oneDNN 2.6.3 avx2`.
  package var engine: String
  package init(cpu: String, threads: Int, engine: String) { (self.cpu, self.threads, self.engine) = (cpu, threads, engine) }
}

package struct CheckpointDescription: Sendable, Codable, Equatable {
  package var name: String
  package var sha256: String
  package var tokenizerSHA256: String
  package var parameters: Int
  package var blocks: Int
  package init(name: String, sha256: String, tokenizerSHA256: String, parameters: Int, blocks: Int) {
    (self.name, self.sha256, self.tokenizerSHA256, self.parameters, self.blocks) = (name, sha256, tokenizerSHA256, parameters, blocks)
  }
  enum CodingKeys: String, CodingKey { case name, sha256, tokenizerSHA256 = "tokenizer_sha256", parameters, blocks }
}

package struct DatasetDescription: Sendable, Codable, Equatable {
  package var name: String
  package var sha256: String
  package var documents: Int
  package var tokens: Int
  package init(name: String, sha256: String, documents: Int, tokens: Int) {
    (self.name, self.sha256, self.documents, self.tokens) = (name, sha256, documents, tokens)
  }
}

/// One number: cell × attack × metric, with its uncertainty over documents.
package struct CellResult: Sendable, Codable, Equatable {
  /// Stable identifier of the cell, a function of `settings`.
  package var cell: String
  /// `model.partition.input`, `defense.relative`, `seed`, … with all four noise units.
  package var settings: [String: SettingValue]
  package var channel: String
  package var attack: String
  package var metric: String
  package var mean: Double
  /// 95 % bootstrap interval over documents.
  package var ci95: [Double]
  package var stderr: Double
  /// Number of documents.
  package var n: Int
  package var higherLeaksMore: Bool
  /// Paired difference to the strongest baseline of the same cell and metric; nil for the baselines themselves.
  package var gainOverBaseline: Double?
  /// 95 % bootstrap interval of that difference, documents resampled in pairs; nil with it, and in records of schema 1.
  package var gainCI95: [Double]?
  /// Wall-clock seconds of the attack on this cell.
  package var seconds: Double
  /// States of candidates that the attack worked out on this cell, its rehearsals with them; nil where it tries none.
  package var candidateForwards: Int?

  package init(
    cell: String, settings: [String: SettingValue], channel: String, attack: String, metric: String, mean: Double, ci95: [Double],
    stderr: Double, n: Int, higherLeaksMore: Bool, gainOverBaseline: Double?, gainCI95: [Double]? = nil, seconds: Double,
    candidateForwards: Int? = nil
  ) {
    self.candidateForwards = candidateForwards
    (self.cell, self.settings, self.channel, self.attack, self.metric) = (cell, settings, channel, attack, metric)
    (self.mean, self.ci95, self.stderr, self.n, self.higherLeaksMore) = (mean, ci95, stderr, n, higherLeaksMore)
    (self.gainOverBaseline, self.gainCI95, self.seconds) = (gainOverBaseline, gainCI95, seconds)
  }

  enum CodingKeys: String, CodingKey {
    case cell, settings, channel, attack, metric, mean, ci95, stderr, n, higherLeaksMore = "higher_leaks_more"
    case gainOverBaseline = "gain_over_baseline", gainCI95 = "gain_ci95", seconds, candidateForwards = "candidate_forwards"
  }
}

/// What the defense costs the task: for example perplexity of the split model under the cell's noise.
package struct UtilityResult: Sendable, Codable, Equatable {
  package var cell: String
  package var settings: [String: SettingValue]
  package var metric: String
  package var mean: Double
  package var ci95: [Double]
  package var n: Int
  package init(cell: String, settings: [String: SettingValue], metric: String, mean: Double, ci95: [Double], n: Int) {
    (self.cell, self.settings, self.metric, self.mean, self.ci95, self.n) = (cell, settings, metric, mean, ci95, n)
  }
}

/// Distances from the true state to that of the nearest rival token, at one cut: the reason behind every success-versus-noise curve.
package struct MarginHistogram: Sendable, Codable, Equatable {
  /// Number of input blocks p.
  package var inputBlocks: Int
  /// L2 distance over all C channels, activation units: quantiles 0, .05, .25, .5, .75, .95, 1.
  package var quantiles: [Double]
  /// Root mean square of a state's coordinate at this cut; quantiles divided by `rms * sqrt(C)` are the relative margins.
  package var rms: Double
  package var channels: Int
  /// Upper edges of the histogram bins and the counts in them.
  package var edges: [Double]
  package var counts: [Int]
  package init(inputBlocks: Int, quantiles: [Double], rms: Double, channels: Int, edges: [Double], counts: [Int]) {
    (self.inputBlocks, self.quantiles, self.rms, self.channels) = (inputBlocks, quantiles, rms, channels)
    (self.edges, self.counts) = (edges, counts)
  }
  enum CodingKeys: String, CodingKey { case inputBlocks = "input_blocks", quantiles, rms, channels, edges, counts }
}
