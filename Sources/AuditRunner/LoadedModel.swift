package import Audit
import Checkpoints
import Diagnostics
package import Fetching
import Foundation
package import Kernels
package import Llama
package import Tokenizers

/// A checkpoint opened for work: weights, tokenizer, and the hashes by which records and dumps name them.
package struct LoadedModel: Sendable {
  package let model: LlamaModel
  package let tokenizer: any Tokenizer
  package let description: CheckpointDescription

  /// Opens the checkpoint called `name` (fetched before) or at the path `name`.
  package init(_ name: String, in store: ArtifactStore, precision: Precision = .f32, compute: Compute = Compute()) throws {
    let path = try Self.path(name, in: store)
    let checkpoint = try Checkpoint.open(at: path)
    model = try LlamaModel(checkpoint, precision: precision, compute: compute)
    tokenizer = try TokenizerLoader.load(from: checkpoint)
    guard tokenizer.vocabularySize <= model.configuration.vocabularySize else {
      throw Fault(
        .invalidData, "the tokenizer has \(tokenizer.vocabularySize) tokens, the weights \(model.configuration.vocabularySize) embeddings",
        at: path)
    }
    let c = model.configuration
    let perBlock =
      c.hiddenSize * c.headDimension * (2 * c.heads + 2 * c.keyValueHeads) + 3 * c.hiddenSize * c.feedForwardSize + 2 * c.hiddenSize
    description = CheckpointDescription(
      name: name, sha256: try checkpoint.sha256(), tokenizerSHA256: tokenizer.sha256,
      parameters: c.blocks * perBlock + c.vocabularySize * c.hiddenSize * (c.tiedHead ? 1 : 2) + c.hiddenSize, blocks: c.blocks)
  }

  /// Tokens that text never has: control tokens, and rows of the embedding table that pad it beyond the tokenizer's vocabulary.
  package var excludedTokens: Set<Int32> {
    tokenizer.specialTokens.union(Int32(tokenizer.vocabularySize)..<Int32(model.configuration.vocabularySize))
  }

  /// Throws `Fault` 65 where a text of `tokens` tokens is longer than the model attends to as it should: its context, or a window that is not masked here.
  package func requireRoom(for tokens: Int, hint: String = "lower dataset.max_tokens") throws {
    let configuration = model.configuration
    let room = min(configuration.contextLength, configuration.slidingWindow ?? .max)
    guard tokens <= room else {
      throw Fault(
        .invalidData, "a text has \(tokens) tokens, and \(description.name) attends to \(room)", hint: hint)
    }
  }

  /// The file or folder behind a checkpoint's name or path.
  package static func path(_ name: String, in store: ArtifactStore) throws -> String {
    if name.contains("/") || name.hasSuffix(".gguf") { return name }
    return try store.path(of: store.manifest(name, kind: .checkpoint)).path
  }
}
