import Diagnostics

/// What both sides must agree on before a tensor crosses. The hashes are lowercase hex SHA-256.
package struct TrainingIdentity: Sendable, Hashable, Codable {
  package var checkpointSHA256: String
  package var tokenizerSHA256: String
  package var planSHA256: String

  package init(checkpointSHA256: String, tokenizerSHA256: String, planSHA256: String) {
    (self.checkpointSHA256, self.tokenizerSHA256, self.planSHA256) = (checkpointSHA256, tokenizerSHA256, planSHA256)
  }
}

/// A client's first message: the server refuses it unless it agrees in everything.
package struct Hello: Sendable, Hashable, Codable {
  package static let currentVersion = 1

  package var version = Hello.currentVersion
  /// Number of the client in its federation, from 0.
  package var client: Int
  package var identity: TrainingIdentity
  /// Blocks and channels of the model.
  package var blocks: Int
  package var width: Int
  package var partition: PartitionPoints

  package init(client: Int, identity: TrainingIdentity, blocks: Int, width: Int, partition: PartitionPoints) {
    (self.client, self.identity, self.blocks, self.width, self.partition) = (client, identity, blocks, width, partition)
  }

  /// Throws `Fault` 65 that names what the two sides disagree about.
  func check(against identity: TrainingIdentity, blocks: Int, width: Int) throws {
    func agree(_ what: String, _ theirs: String, _ ours: String, _ hint: String) throws {
      guard theirs == ours else {
        throw Fault(
          .invalidData, "client \(client) and server disagree about the \(what): client \(theirs.prefix(64)), server \(ours.prefix(64))",
          hint: hint)
      }
    }
    try agree("protocol version", "\(version)", "\(Hello.currentVersion)", "run the same release on both sides")
    try agree("checkpoint", self.identity.checkpointSHA256, identity.checkpointSHA256, "open the same weights on both sides")
    try agree("tokenizer", self.identity.tokenizerSHA256, identity.tokenizerSHA256, "open the same weights on both sides")
    try agree("plan", self.identity.planSHA256, identity.planSHA256, "start both sides with the same plan and settings")
    try agree("number of blocks", "\(self.blocks)", "\(blocks)", "open the same weights on both sides")
    try agree("width", "\(self.width)", "\(width)", "open the same weights on both sides")
    guard (0..<255).contains(client) else { throw Fault(.invalidData, "a client cannot have the number \(client)", hint: "0 to 254") }
    _ = try partition.validated(blocks: blocks)
  }
}
