package import Audit
import Diagnostics
package import Foundation
package import SplitLearning

/// What `train` found: training.json, one entry a cell. Numbers are of the run itself; nothing is interpolated.
package struct TrainingRecord: Codable, Sendable {
  package static let currentSchema = 2

  package var schemaVersion = TrainingRecord.currentSchema
  package var runID: String
  package var commit: String
  package var host: String
  package var checkpoint: String
  package var plan: SettingValue
  package var cells: [Cell] = []

  // Snake case has no acronyms: "run_id" comes back as "runId".
  private enum CodingKeys: String, CodingKey { case schemaVersion, runID = "runId", commit, host, checkpoint, plan, cells }

  /// training.json: snake case, sorted keys.
  package func encoded() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    return try encoder.encode(self)
  }

  /// Reads training.json. Throws `Fault` 65 at `path` unless it is a record of this release.
  package init(json: Data, at path: String) throws {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    guard let record = try? decoder.decode(TrainingRecord.self, from: json), record.schemaVersion == TrainingRecord.currentSchema else {
      throw Fault(.invalidData, "the file is no training record of this release", at: path, hint: "choose another folder with --output")
    }
    self = record
  }

  package init(runID: String, commit: String, host: String, checkpoint: String, plan: SettingValue) {
    (self.runID, self.commit, self.host, self.checkpoint, self.plan) = (runID, commit, host, checkpoint, plan)
  }

  package struct Cell: Codable, Sendable {
    package var id: String
    package var partitionInput: Int
    package var partitionOutput: Int
    package var seed: Int
    package var defense: [String: SettingValue]
    /// Metric → value before training and after, on `validationExamples` examples, noise included.
    package var before: [String: Double]
    package var after: [String: Double]
    /// What `interval` is about.
    package var metric: String
    /// 95 % of `metric` after training: Clopper–Pearson of an accuracy, bootstrap over examples of a mean.
    package var interval: [Double]
    package var trainingExamples: Int
    package var validationExamples: Int
    /// Loss of every step, nats per answer token.
    package var losses: [Double]
    package var seconds: Double
    package var tokensPerSecond: Double
    package var bytesPerToken: Double
    /// What FedSEA's padded fp16 layout would have sent for the same batches.
    package var paddedHalfBytesPerToken: Double
    /// FL-GLM's: the same with a full attention mask.
    package var maskedHalfBytesPerToken: Double?
    /// The same three for one step of one client; nil in records of earlier releases.
    package var bytesPerStep: Double?
    package var paddedHalfBytesPerStep: Double?
    package var maskedHalfBytesPerStep: Double?
    /// Bytes of blocks that moved with the partition.
    package var migrationBytes: Int?
    /// Noise on ∂L/∂h_B and what it guarantees; nil without.
    package var gradientDefense: [String: SettingValue]?
    /// Norm of all gradients before clipping, every step; nil where each client has its own.
    package var gradientNorms: [Double]?
    /// Each client's partition points at the end.
    package var partitions: [PartitionPoints]?
    package var clients: Int
    package var mode: String
    /// Passes through the middle blocks that had to wait for one another.
    package var sequentialServerSteps: Int
    /// Of the code that ended it, where a run was gone on with after a commit; nil where it is the record's.
    package var commit: String?
    /// SHA-256 of the cell's plan, weights, tokenizer and examples; nil in records of earlier releases.
    package var origin: [String: String]?
  }
}
