import Checkpoints
import Diagnostics
import Kernels
import Llama
import SplitLearning
import TestSupport
import Testing

/// Fine-tuning through the split: the same as without it, and nothing but states and gradients crosses.
@Suite(.serialized) struct SplitTrainingTests {
  private let settings = AdapterSettings(targets: AdapterTarget.allCases, rank: 4, alpha: 8)

  private func model() throws -> LlamaModel {
    try LlamaModel(Checkpoint.open(at: Fixture.path("llama/tiny-gqa")), compute: Compute(threads: 1))
  }

  private func texts(_ model: LlamaModel, seed: UInt64) -> [TrainingSequence] {
    var random = SplitMix(state: seed)
    return [7, 4, 9].map { length in
      let tokens = (0..<length).map { _ in Int32(random.below(model.configuration.vocabularySize)) }
      return TrainingSequence(tokens: tokens, labels: [ignoredLabel] + tokens.dropFirst())
    }
  }

  /// Client and server for a partition; the server is returned so that its adapters can be compared.
  private func parties(_ model: LlamaModel, _ p: Int, _ q: Int, noise: any StateProtector = Unprotected()) -> (
    TrainingClient, TrainingServer
  ) {
    func part(_ range: Range<Int>) -> TrainableStack { TrainableStack(model.stack[range], settings, seed: 9) }
    let blocks = model.configuration.blocks
    let middle = part(p..<blocks - q)
    let server = TrainingServer(middle, optimizer: AdapterOptimizer(middle.adapters, clip: nil), width: model.configuration.hiddenSize)
    let client = TrainingClient(
      input: part(0..<p), output: part(blocks - q..<blocks), embedding: model.embedding, head: model.head, rule: AdamW(), clip: nil,
      transport: server, protector: noise)
    return (client, server)
  }

  /// Bitwise, at every partition: losses of five steps, and every adapter after them.
  @Test func splitEqualsWhole() throws {
    let model = try model()
    let blocks = model.configuration.blocks
    func run(_ p: Int, _ q: Int) throws -> ([Double], [BlockAdapters]) {
      let (client, server) = parties(model, p, q)
      let losses = try (0..<5).map { step in
        let loss = try client.accumulate(texts(model, seed: UInt64(step)))
        try client.update(rate: 1e-2)
        return loss
      }
      return (losses, client.input.adapters + server.trainable.adapters + client.output.adapters)
    }
    let whole = try run(blocks, 0)
    #expect(whole.0.last! != whole.0.first!)
    for p in 0...blocks {
      for q in 0...blocks - p {
        let split = try run(p, q)
        #expect(split.0 == whole.0, "losses at p \(p), q \(q)")
        #expect(split.1 == whole.1, "adapters at p \(p), q \(q)")
      }
    }
  }

  /// A batch in one message, or text by text with the batch's divisor: the same gradients up to rounding.
  @Test func accumulationEqualsOneBatch() throws {
    let model = try model()
    let all = texts(model, seed: 1)
    let labels = all.reduce(0) { $0 + $1.labels.count { $0 != ignoredLabel } }
    let (once, server) = parties(model, 1, 1)
    let loss = try once.accumulate(all)
    try once.update(rate: 1e-2)
    let (bit, other) = parties(model, 1, 1)
    let sum = try all.reduce(0) { try $0 + bit.accumulate([$1], divisor: labels) }
    try bit.update(rate: 1e-2)
    #expect(abs(loss - sum) < 1e-5)
    for (a, b) in zip(server.trainable.adapters, other.trainable.adapters) {
      for target in a.targets { #expect(largestDifference(a.pairs[target]!.b.values, b.pairs[target]!.b.values) < 2e-3) }
    }
  }

  @Test func wrongTokensLabelsAndMessagesAreFaults() throws {
    let model = try model()
    let (client, server) = parties(model, 1, 1)
    let v = Int32(model.configuration.vocabularySize)
    for bad in [
      TrainingSequence(tokens: [v], labels: [0]), TrainingSequence(tokens: [0], labels: [v]), TrainingSequence(tokens: [], labels: []),
      TrainingSequence(tokens: [0, 1], labels: [0]), TrainingSequence(tokens: [-1], labels: [0]),
    ] {
      #expect(throws: Fault.self) { try client.accumulate([bad]) }
    }
    let width = model.configuration.hiddenSize
    #expect(throws: Fault.self) { try server.forward(SmashedData(sequences: [1], lengths: [2], states: Matrix(rows: 1, columns: width))) }
    #expect(throws: Fault.self) { try server.backward(SmashedData(sequences: [1], lengths: [1], states: Matrix(rows: 1, columns: width))) }
    var nan = Matrix(rows: 1, columns: width)
    nan.values[0] = .nan
    #expect(throws: Fault.self) { try server.forward(SmashedData(sequences: [1], lengths: [1], states: nan)) }
    #expect(throws: Fault.self) { try server.update(rate: .nan) }
  }
}
