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

  private func blueprint(_ model: LlamaModel, clip: Double? = nil) -> TrainingBlueprint {
    TrainingBlueprint(model: model, adapters: settings, clip: clip, seed: 9)
  }

  /// Client and server for a partition; the server is returned so that its adapters can be compared.
  private func parties(
    _ model: LlamaModel, _ p: Int, _ q: Int, noise: any StateProtector = Unprotected(), blueprint: TrainingBlueprint? = nil
  ) throws -> (TrainingClient, TrainingServer) {
    let (blueprint, points) = (blueprint ?? self.blueprint(model), PartitionPoints(input: p, output: q))
    let server = blueprint.server([points])
    return (try blueprint.client(points, of: server, protector: noise), server)
  }

  /// Bitwise, at every partition: losses of five steps, and every adapter after them.
  @Test func splitEqualsWhole() throws {
    let model = try model()
    let blocks = model.configuration.blocks
    // Clipping is over all parties together, and dropout does not know the partition: both must change nothing either.
    var blueprint = blueprint(model, clip: 0.05)
    blueprint.adapters.dropout = 0.2
    func run(_ p: Int, _ q: Int) throws -> ([Double], [BlockAdapters]) {
      let (client, server) = try parties(model, p, q, blueprint: blueprint)
      let losses = try (0..<5).map { step in
        let loss = try client.accumulate(texts(model, seed: UInt64(step)))
        try client.update(rate: 1e-2)
        return loss
      }
      return (losses, client.input.adapters + server.party.adapters + client.output.adapters)
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
    let (once, server) = try parties(model, 1, 1)
    let loss = try once.accumulate(all)
    try once.update(rate: 1e-2)
    let (bit, other) = try parties(model, 1, 1)
    let sum = try all.reduce(0) { try $0 + bit.accumulate([$1], divisor: labels) }
    try bit.update(rate: 1e-2)
    #expect(abs(loss - sum) < 1e-5)
    for (a, b) in zip(server.party.adapters, other.party.adapters) {
      for target in a.targets { #expect(largestDifference(a.pairs[target]!.b.values, b.pairs[target]!.b.values) < 2e-3) }
    }
  }

  @Test func wrongTokensLabelsAndMessagesAreFaults() throws {
    let model = try model()
    let (client, server) = try parties(model, 1, 1)
    let v = Int32(model.configuration.vocabularySize)
    for bad in [
      TrainingSequence(tokens: [v], labels: [0]), TrainingSequence(tokens: [0], labels: [v]), TrainingSequence(tokens: [], labels: []),
      TrainingSequence(tokens: [0, 1], labels: [0]), TrainingSequence(tokens: [-1], labels: [0]),
    ] {
      #expect(throws: Fault.self) { try client.accumulate([bad]) }
    }
    let width = model.configuration.hiddenSize
    func request(_ message: SmashedData) -> [TrainingServer.Request] { [.init(client: 0, message: message)] }
    let short = SmashedData(sequences: [1], lengths: [2], states: Matrix(rows: 1, columns: width))
    let sound = SmashedData(sequences: [1], lengths: [1], states: Matrix(rows: 1, columns: width))
    #expect(throws: Fault.self) { try server.forward(request(short), training: true) }
    #expect(throws: Fault.self) { try server.forward([.init(client: 7, message: sound)], training: true) }
    #expect(throws: Fault.self) { try server.forward(request(sound) + request(sound), training: true) }
    #expect(throws: Fault.self) { try server.backward(request(sound)) }
    var nan = sound
    nan.states.values[0] = .nan
    #expect(throws: Fault.self) { try server.forward(request(nan), training: true) }
    #expect(throws: Fault.self) { try server.update(rate: .nan, factor: 1) }
    #expect(throws: Fault.self) { try server.update(rate: 1, factor: .infinity) }
    // Points that do not fit leave both sides as they were.
    #expect(throws: Fault.self) { try client.move(to: PartitionPoints(input: 9, output: 9), blocks: model.configuration.blocks) }
    _ = try client.accumulate(texts(model, seed: 1))
  }

  private func federation(_ model: LlamaModel, _ mode: Federation.Mode, clients count: Int, partitions: [PartitionPoints]? = nil) throws
    -> (Federation, [TrainingClient], [TrainingServer])
  {
    let points = partitions ?? Array(repeating: PartitionPoints(input: 1, output: 1), count: count)
    var servers = [blueprint(model).server(points)]
    if case .serverHierarchical = mode { servers = points.map { blueprint(model).server([$0]) } }
    let clients = try points.enumerated().map { i, points in
      try blueprint(model).client(points, of: servers[min(i, servers.count - 1)], number: i)
    }
    return (Federation(mode, clients: clients, servers: servers), clients, servers)
  }

  /// A client that has all blocks itself is judged like any other, wherever the server's own blocks are.
  @Test func aClientWithoutAServerIsJudged() throws {
    let model = try model()
    let blocks = model.configuration.blocks
    let points = [PartitionPoints(input: 1, output: blocks - 1), PartitionPoints(input: 2, output: 1)]
    let (federation, _, _) = try federation(model, .sequential, clients: 2, partitions: points)
    let tokens: [Int32] = [3, 1, 4, 1]
    let judged = federation.inference(client: 0)
    let logits = judged.logits(try judged.states([(Federation.firstJudged, tokens)]))
    #expect(largestDifference(logits.values, model.logits([tokens]).values) < 1e-3)
  }

  /// Client-batch over three clients updates the server as one client does that accumulates the three batches.
  @Test func clientBatchEqualsAccumulation() throws {
    let model = try model()
    let batches = (0..<3).map { texts(model, seed: UInt64(10 + $0)) }
    let labels = batches.flatMap { $0 }.reduce(0) { $0 + $1.labels.count { $0 != ignoredLabel } }
    let (together, _, servers) = try federation(model, .clientBatch, clients: 3)
    let losses = try together.step(batches, rate: 1e-2)
    let (one, alone) = try parties(model, 1, 1)
    let sum = try batches.reduce(0) { try $0 + one.accumulate($1, divisor: labels) }
    try one.update(rate: 1e-2)
    let weighted = zip(losses, batches).reduce(0.0) { total, pair in
      total + pair.0 * Double(pair.1.reduce(0) { $0 + $1.labels.count { $0 != ignoredLabel } })
    }
    #expect(abs(weighted / Double(labels) - sum) < 1e-5)
    for (a, b) in zip(servers[0].party.adapters, alone.party.adapters) {
      for target in a.targets {
        // Adam's first step is the sign of the gradient: compare where it is not almost zero.
        let pairs = zip(a.pairs[target]!.b.values, b.pairs[target]!.b.values)
        #expect(pairs.count { abs($0 - $1) > 1e-4 } <= a.pairs[target]!.b.values.count / 50)
      }
    }
    #expect(together.sequentialServerSteps == 1)
  }

  /// With equal data all copies stay equal, and averaging changes nothing; with different data it makes them equal again.
  @Test func hierarchicalServersAverage() throws {
    let model = try model()
    let (federation, clients, servers) = try federation(model, .serverHierarchical(localSteps: 2), clients: 3)
    let batches = (0..<3).map { texts(model, seed: UInt64(20 + $0)) }
    _ = try federation.step(batches, rate: 1e-2)
    #expect(servers[0].party.adapters != servers[1].party.adapters)
    _ = try federation.step(batches, rate: 1e-2)
    #expect(servers[0].party.adapters == servers[1].party.adapters)
    #expect(clients[0].input.adapters == clients[2].input.adapters && clients[0].output.adapters == clients[2].output.adapters)
    #expect(federation.sequentialServerSteps == 2)

    let (same, _, copies) = try self.federation(model, .serverHierarchical(localSteps: 1), clients: 2)
    _ = try same.step([batches[0], batches[0]], rate: 1e-2)
    let (single, _, lone) = try self.federation(model, .sequential, clients: 1)
    _ = try single.step([batches[0]], rate: 1e-2)
    #expect(copies[0].party.adapters == lone[0].party.adapters)
  }
}
