package import Checkpoints
import Diagnostics
package import Kernels

/// A whole LLaMA-family model (Touvron et al. 2023): embedding, blocks, head. Parts of it are what split learning hands to client and server.
package struct LlamaModel: Sendable {
  package let configuration: LlamaConfiguration
  package let embedding: Weight
  package private(set) var stack: BlockStack
  package let head: OutputHead
  package let compute: Compute
  package let precision: Precision

  /// Loads a checkpoint. Throws on missing or misshapen tensors and on weights that are not finite.
  package init(_ checkpoint: Checkpoint, precision: Precision = .f32, compute: Compute = Compute()) throws {
    configuration = checkpoint.configuration
    (self.precision, self.compute) = (precision, compute)
    embedding = try Weight(checkpoint.matrix("model.embed_tokens.weight"), precision: precision, compute: compute)
    stack = try BlockStack(checkpoint, range: 0..<configuration.blocks, precision: precision, compute: compute)
    head = try OutputHead(checkpoint, embedding: embedding, precision: precision, compute: compute)
  }

  /// The same model with other blocks, for example fine-tuned ones.
  package func replacing(_ stack: BlockStack) -> LlamaModel {
    precondition(stack.first == 0 && stack.blocks.count == self.stack.blocks.count, "\(stack.blocks.count) blocks for another model")
    var model = self
    model.stack = stack
    return model
  }

  /// Checks ids against the vocabulary: the border between untrusted tokens and `Weight.gather`.
  package func checked(_ tokens: [Int32]) throws -> [Int32] {
    if let bad = tokens.first(where: { $0 < 0 || $0 >= configuration.vocabularySize }) {
      throw Fault(
        .invalidData, "token id \(bad) is outside the vocabulary of \(configuration.vocabularySize)",
        hint: "use the checkpoint's own tokenizer")
    }
    return tokens
  }

  package func emptyCache() -> SequenceCache { stack.emptyCache() }

  /// States after the last block, before the final norm, [B, C], for packed sequences of tokens.
  package func states(_ tokens: [Int32], _ batch: PackedBatch, caches: inout [SequenceCache], probe: ActivationProbe? = nil) -> Matrix {
    stack.forward(embedding.gather(tokens), batch, caches: &caches, probe: probe)
  }

  /// Logits of every position [B, V] of packed sequences without a cache to keep.
  package func logits(_ sequences: [[Int32]]) -> Matrix {
    let batch = PackedBatch(lengths: sequences.map(\.count))
    var caches = sequences.map { _ in emptyCache() }
    return head.logits(states(sequences.flatMap { $0 }, batch, caches: &caches))
  }

  /// Logits of the next token [1, V] after appending `tokens` to `cache`; only the last position goes through the head.
  package func next(_ tokens: [Int32], cache: inout SequenceCache) -> Matrix {
    let batch = PackedBatch(lengths: [tokens.count], pasts: [cache.length])
    var caches = [cache]
    cache = SequenceCache(blocks: 0)  // hand the storage over, so that it is extended in place
    let x = states(tokens, batch, caches: &caches)
    cache = caches[0]
    return head.logits(x.slice(x.rows - 1..<x.rows))
  }
}
