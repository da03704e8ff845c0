import Diagnostics

/// Where a LLaMA of `blocks` blocks is cut: the client keeps the embedding and the first `input` blocks (A) and the last `output` blocks with
/// norm and head (C); the server runs the rest (B). FedSEA-LLaMA, section "adaptive partition".
package struct PartitionPoints: Sendable, Hashable, Codable {
  /// Number of input blocks on the client (p ≥ 0; p = 0 sends the embeddings themselves).
  package var input: Int
  /// Number of output blocks on the client (q ≥ 0).
  package var output: Int

  package init(input: Int, output: Int) {
    (self.input, self.output) = (input, output)
  }

  /// Refuses points that leave no room in a model of `blocks` blocks; the server may run no block at all (p + q = blocks).
  package func validated(blocks: Int) throws -> PartitionPoints {
    guard input >= 0, output >= 0, input <= blocks, output <= blocks - input else {
      throw Fault(
        .invalidData, "partition input \(input) + output \(output) does not fit a model of \(blocks) blocks",
        hint: "choose input ≥ 0, output ≥ 0 and input + output ≤ \(blocks)")
    }
    return self
  }
}
