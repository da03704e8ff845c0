package import Kernels
package import SplitLearning

/// Everything that the adversary of one audit cell has seen, and nothing else: it holds no token and no text.
package struct AdversaryView: Sendable, Equatable {
  package var identity: ViewIdentity
  package var partition: PartitionPoints
  /// Row ranges of the documents: document `i` is rows `offsets[i]..<offsets[i + 1]`; `documents + 1` values, first 0, non-decreasing.
  package var offsets: [Int]
  package var observations: [Channel: Observation]

  package init(identity: ViewIdentity, partition: PartitionPoints, offsets: [Int], observations: [Channel: Observation]) {
    (self.identity, self.partition, self.offsets, self.observations) = (identity, partition, offsets, observations)
  }

  package var documents: Int { max(0, offsets.count - 1) }
  package var tokens: Int { offsets.last ?? 0 }
  package func range(of document: Int) -> Range<Int> { offsets[document]..<offsets[document + 1] }
}

/// Which run, plan, weights and tokenizer a view came from. The hashes are lowercase hex SHA-256.
package struct ViewIdentity: Sendable, Hashable, Codable {
  package var runID: String
  package var planSHA256: String
  package var checkpointSHA256: String
  package var tokenizerSHA256: String
  /// UTC, ISO 8601.
  package var created: String
  package var fedseaVersion: String

  package init(runID: String, planSHA256: String, checkpointSHA256: String, tokenizerSHA256: String, created: String, fedseaVersion: String)
  {
    (self.runID, self.planSHA256, self.checkpointSHA256) = (runID, planSHA256, checkpointSHA256)
    (self.tokenizerSHA256, self.created, self.fedseaVersion) = (tokenizerSHA256, created, fedseaVersion)
  }
}

/// One channel's recorded tensor: N rows (all documents packed) by C columns.
package struct Observation: Sendable, Equatable {
  package var values: Matrix
  /// Names of the dimensions, for example `["token", "channel"]`.
  package var dimensions: [String]
  /// Unit of a value, for example `activation`.
  package var unit: String
  package var noise: NoiseStatement

  package init(values: Matrix, dimensions: [String] = ["token", "channel"], unit: String = "activation", noise: NoiseStatement = .none) {
    (self.values, self.dimensions, self.unit, self.noise) = (values, dimensions, unit, noise)
  }
}
