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

/// What the defense publishes about the noise on a channel (Kerckhoffs: the law is known, the draw is not).
package struct NoiseStatement: Sendable, Hashable, Codable {
  /// Name of the defense, `none` without one.
  package var defense: String
  /// `none` or `gaussian`.
  package var law: String
  /// Standard deviation of the noise per coordinate, in activation units; 0 without noise; nil when withheld from the attacker.
  package var sigma: Double?
  /// L2 bound that each token's state was clipped to before the noise; nil without clipping.
  package var clip: Double?

  package init(defense: String, law: String, sigma: Double?, clip: Double? = nil) {
    (self.defense, self.law, self.sigma, self.clip) = (defense, law, sigma, clip)
  }

  package static let none = NoiseStatement(defense: "none", law: "none", sigma: 0)
}
