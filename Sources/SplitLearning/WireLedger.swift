/// What one training step moves between client and server, and what FedSEA's fp16 padded layout would have moved for the same batch.
package struct WireLedger: Sendable, Hashable {
  package private(set) var steps = 0
  package private(set) var tokens = 0
  /// Bytes of this implementation: four tensors of f32, and 16 bytes a sequence and message (identifier and length).
  package private(set) var bytes = 0
  /// Bytes of four padded fp16 tensors [B, longest, C] (FedSEA-LLaMA's training step, without its position ids).
  package private(set) var paddedHalfBytes = 0

  package init() {}

  /// Counts one step over sequences of these lengths.
  package mutating func add(lengths: [Int], channels: Int) {
    let rows = lengths.reduce(0, +)
    steps += 1
    tokens += rows
    bytes += 4 * (rows * channels * 4 + 16 * lengths.count)
    paddedHalfBytes += 4 * lengths.count * (lengths.max() ?? 0) * channels * 2
  }
}
