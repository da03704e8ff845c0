import Checkpoints
package import Kernels
package import Llama

/// Everything that decides the parties of a training run: the model, what is trained of it, by which rule, from which seed.
package struct TrainingBlueprint: Sendable {
  package var model: LlamaModel
  package var adapters: AdapterSettings
  package var rule: AdamW
  package var clip: Double?
  package var seed: UInt64
  package var identity: TrainingIdentity
  /// Full fine-tuning of the blocks of A, and of C, instead of adapters. Token embedding, final norm and head stay frozen.
  package var wholeInput = false
  package var wholeOutput = false
  /// Keep only each block's input for the backward pass, and compute the rest again.
  package var checkpointing = false

  package init(
    model: LlamaModel, adapters: AdapterSettings, rule: AdamW = AdamW(), clip: Double? = nil, seed: UInt64,
    identity: TrainingIdentity = TrainingIdentity(checkpointSHA256: "", tokenizerSHA256: "", planSHA256: "")
  ) {
    (self.model, self.adapters, self.rule, self.clip, self.seed, self.identity) = (model, adapters, rule, clip, seed, identity)
  }

  private var blocks: Int { model.configuration.blocks }

  private func party(_ range: Range<Int>, whole: Bool) -> TrainingParty {
    var trainable =
      whole
      ? TrainableStack(whole: model.stack[range], precision: model.precision) : TrainableStack(model.stack[range], adapters, seed: seed)
    trainable.keepsActivations = !checkpointing
    return TrainingParty(trainable, of: model.stack, rule: rule)
  }

  /// A server that runs the middle blocks of all these partitions.
  package func server(_ partitions: [PartitionPoints]) -> TrainingServer {
    let used = partitions.map { $0.input..<blocks - $0.output }.filter { !$0.isEmpty }
    let none = partitions.map(\.input).max() ?? 0
    let range = used.isEmpty ? none..<none : used.map(\.lowerBound).min()!..<used.map(\.upperBound).max()!
    return TrainingServer(party(range, whole: false), identity: identity, blocks: blocks, width: model.configuration.hiddenSize)
  }

  /// A client of `server`. Throws when the server refuses its hello.
  package func client(
    _ partition: PartitionPoints, of server: TrainingServer, protector: any StateProtector = Unprotected(),
    gradientProtector: any StateProtector = Unprotected(), number: Int = 0
  ) throws -> TrainingClient {
    let hello = Hello(
      client: number, identity: identity, blocks: blocks, width: model.configuration.hiddenSize, partition: partition)
    return TrainingClient(
      input: party(0..<partition.input, whole: wholeInput), output: party(blocks - partition.output..<blocks, whole: wholeOutput),
      embedding: model.embedding, head: model.head, clip: clip, transport: try server.open(hello), protector: protector,
      gradientProtector: gradientProtector, number: number)
  }
}
