import Diagnostics
import Kernels
package import Llama

/// The server's side: runs the middle blocks and keeps their keys and values for every open sequence (KV-cache collaboration: each party
/// caches its own blocks, so a decoding step exchanges one vector each way).
package final class SplitServer {
  private let blocks: MiddleBlocks
  private var caches: [UInt64: SequenceCache] = [:]
  private let longestSequence: Int
  /// Reads what the server computes: the seat of whoever can look into its memory.
  package var probe: ActivationProbe?

  /// - Parameter longestSequence: positions after which a sequence is refused, so that a client cannot fill the server's memory.
  package init(_ blocks: MiddleBlocks, longestSequence: Int = 8192) {
    (self.blocks, self.longestSequence) = (blocks, longestSequence)
  }

  /// Positions held for an open sequence.
  private var lengths: [UInt64: Int] = [:]

  /// h_B for the new positions of h_A. Throws, and changes nothing, when the message does not fit the model or itself.
  package func forward(_ message: SmashedData) throws -> SmashedData {
    try message.check(width: blocks.width) { longestSequence - (lengths[$0] ?? 0) }
    let pasts = message.sequences.map { lengths[$0] ?? 0 }
    let batch = PackedBatch(lengths: message.lengths, pasts: pasts)
    var open = message.sequences.map { caches.removeValue(forKey: $0) ?? blocks.stack.emptyCache() }
    let states = blocks.stack.forward(message.states, batch, caches: &open, probe: probe)
    for (i, id) in message.sequences.enumerated() {
      caches[id] = open[i]
      lengths[id] = pasts[i] + message.lengths[i]
    }
    return SmashedData(sequences: message.sequences, lengths: message.lengths, states: states)
  }

  package func release(_ sequences: [UInt64]) {
    for id in sequences {
      caches[id] = nil
      lengths[id] = nil
    }
  }
}
