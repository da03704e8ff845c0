/// What training steps move between clients and server, and what two other layouts would have moved for the same batches.
package struct WireLedger: Sendable, Hashable, Codable {
  /// Steps of single clients: one of a federation of eight counts eight times.
  package private(set) var steps = 0
  package private(set) var tokens = 0
  /// Bytes of this implementation: four tensors of f32 without padding, and 16 bytes a sequence and message (identifier and length).
  package private(set) var bytes = 0
  /// FedSEA-LLaMA: four padded fp16 tensors [B, longest, C] (its position ids not counted).
  package private(set) var paddedHalfBytes = 0
  /// FL-GLM, its predecessor without mask compression: the same, and a full fp16 attention mask [B, longest, longest] with the forward message.
  package private(set) var maskedHalfBytes = 0
  /// Bytes of blocks that moved with the partition.
  package private(set) var migrationBytes = 0

  package init() {}

  /// Whether the counts can grow: false only for what came from a broken file.
  package var isSound: Bool {
    [steps, tokens, bytes, paddedHalfBytes, maskedHalfBytes, migrationBytes].allSatisfy { (0...1 << 60).contains($0) }
  }

  /// Counts one step of one client over sequences of these lengths.
  package mutating func add(lengths: [Int], channels: Int) {
    let (rows, longest) = (lengths.reduce(0, +), lengths.max() ?? 0)
    steps += 1
    tokens += rows
    bytes += 4 * (rows * channels * 4 + 16 * lengths.count)
    let padded = 4 * lengths.count * longest * channels * 2
    paddedHalfBytes += padded
    maskedHalfBytes += padded + lengths.count * longest * longest * 2
  }

  /// Bytes of one layout for every token that went through the split, and for every step of one client; 0 before the first.
  package func mean(_ layout: KeyPath<WireLedger, Int>) -> (perToken: Double, perStep: Double) {
    (Double(self[keyPath: layout]) / Double(max(1, tokens)), Double(self[keyPath: layout]) / Double(max(1, steps)))
  }

  package mutating func addMigration(bytes: Int) { migrationBytes += bytes }
}
