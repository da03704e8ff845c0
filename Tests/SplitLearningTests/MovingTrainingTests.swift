import Checkpoints
import Diagnostics
import Foundation
import Kernels
import Llama
import SplitLearning
import TestSupport
import Testing

/// What may happen between two steps: blocks move, a run is cut and goes on, two sides disagree.
@Suite(.serialized) struct MovingTrainingTests {
  private func model() throws -> LlamaModel {
    try LlamaModel(Checkpoint.open(at: Fixture.path("llama/tiny-gqa")), compute: Compute(threads: 1))
  }

  private func blueprint(_ model: LlamaModel) -> TrainingBlueprint {
    var settings = AdapterSettings(targets: AdapterTarget.allCases, rank: 4, alpha: 8)
    settings.dropout = 0.1
    return TrainingBlueprint(model: model, adapters: settings, clip: 0.5, seed: 9)
  }

  private func texts(_ model: LlamaModel, seed: UInt64) -> [TrainingSequence] {
    var random = SplitMix(state: seed)
    return [7, 4, 9].map { length in
      let tokens = (0..<length).map { _ in Int32(random.below(model.configuration.vocabularySize)) }
      return TrainingSequence(tokens: tokens, labels: [ignoredLabel] + tokens.dropFirst())
    }
  }

  private func federation(_ model: LlamaModel, _ mode: Federation.Mode, _ points: [PartitionPoints]) throws -> Federation {
    let blueprint = blueprint(model)
    var servers = [blueprint.server(points)]
    if case .serverHierarchical = mode { servers = points.map { blueprint.server([$0]) } }
    let clients = try points.enumerated().map { i, points in
      try blueprint.client(points, of: servers[min(i, servers.count - 1)], number: i)
    }
    return Federation(mode, clients: clients, servers: servers, clip: 0.5)
  }

  private func trained(_ federation: Federation, _ model: LlamaModel) -> [BlockState] {
    let (client, server) = (federation.clients[0], federation.servers[0].party)
    return (0..<model.configuration.blocks).map { block in
      [client.input, server, client.output].first { $0.range.contains(block) }![state: block]
    }
  }

  /// Bitwise: losses, adapters, moments and step counts of eight steps, whether the partition stays or wanders over every pair of points.
  @Test func movingBlocksChangesNothing() throws {
    let model = try model()
    let blocks = model.configuration.blocks
    var tour: [PartitionPoints] = []
    for p in 0...blocks { for q in 0...blocks - p { tour.append(PartitionPoints(input: p, output: q)) } }
    func run(moving: Bool) throws -> ([Double], [BlockState], Int) {
      let federation = try federation(model, .sequential, [PartitionPoints(input: 1, output: 1)])
      var bytes = 0
      let losses = try tour.indices.map { step in
        if moving { bytes += try federation.clients[0].move(to: tour[step], blocks: blocks) }
        return try federation.step([texts(model, seed: UInt64(step))], rate: 1e-2)[0]
      }
      return (losses, trained(federation, model), bytes)
    }
    let (still, wandering) = (try run(moving: false), try run(moving: true))
    #expect(still.0 == wandering.0)
    #expect(still.1 == wandering.1)
    #expect(still.2 == 0 && wandering.2 > 0)
  }

  /// Clients of one federation with partition points of their own: the first loss of each is what it would be with any points, and client-batch
  /// still passes everything through the server in one step.
  @Test(arguments: [false, true]) func clientsMayDifferInPartition(hierarchical: Bool) throws {
    let model = try model()
    let blocks = model.configuration.blocks
    let points = [
      PartitionPoints(input: 1, output: 1), PartitionPoints(input: 2, output: 0), PartitionPoints(input: 0, output: blocks - 1),
      PartitionPoints(input: blocks, output: 0),
    ]
    let batches = (0..<4).map { texts(model, seed: UInt64(30 + $0)) }
    let mode: Federation.Mode = hierarchical ? .serverHierarchical(localSteps: 1) : .clientBatch
    let mixed = try federation(model, mode, points)
    let equal = try federation(model, mode, points.map { _ in points[0] })
    let (a, b) = (try mixed.step(batches, rate: 1e-2), try equal.step(batches, rate: 1e-2))
    for (x, y) in zip(a, b) { #expect(abs(x - y) < 1e-5) }
    #expect(mixed.sequentialServerSteps == 1)
    try mixed.average()
    for client in mixed.clients {
      for block in client.input.range where mixed.clients[3].input.range.contains(block) {
        #expect(client.input[state: block].adapters == mixed.clients[3].input[state: block].adapters)
      }
    }
    let later = try mixed.step(batches, rate: 1e-2)
    #expect(later.allSatisfy { $0.isFinite })
  }

  private struct Note: Codable, Equatable { var text: String }

  /// Bitwise, in every mode, with dropout, a moved partition and clients that differ: six steps at once, or three, a file, and three more.
  @Test(arguments: [Federation.Mode.sequential, .clientBatch, .serverHierarchical(localSteps: 2)]) func resumingChangesNothing(
    mode: Federation.Mode
  ) throws {
    let model = try model()
    let scratch = try Scratch()
    let path = scratch.file("checkpoint.safetensors")
    let points = [PartitionPoints(input: 1, output: 1), PartitionPoints(input: 2, output: 0)]
    func steps(_ range: Range<Int>, _ federation: Federation) throws -> [[Double]] {
      try range.map { step in try federation.step((0..<2).map { texts(model, seed: UInt64(100 * step + $0)) }, rate: 1e-2) }
    }
    let whole = try federation(model, mode, points)
    var losses = try steps(0..<2, whole)
    try whole.clients[0].move(to: PartitionPoints(input: 0, output: 2), blocks: model.configuration.blocks)
    losses += try steps(2..<6, whole)

    let first = try federation(model, mode, points)
    var found = try steps(0..<2, first)
    try first.clients[0].move(to: PartitionPoints(input: 0, output: 2), blocks: model.configuration.blocks)
    found += try steps(2..<3, first)
    try TrainingSnapshot.write(first, progress: Note(text: "step 3 — ½"), to: path)
    let second = try federation(model, mode, points)
    let snapshot = try TrainingSnapshot<Note>(contentsOf: path)
    #expect(snapshot.progress == Note(text: "step 3 — ½"))
    try snapshot.restore(second, blocks: model.configuration.blocks)
    found += try steps(3..<6, second)
    #expect(found == losses)
    #expect(second.steps == 6 && second.sequentialServerSteps == whole.sequentialServerSteps)
    #expect(trained(second, model) == trained(whole, model))
    for (a, b) in zip(second.clients, whole.clients) { #expect(a.sent == b.sent && a.partition == b.partition) }
  }

  /// Every byte of a checkpoint may be wrong: restored, or refused with a fault, never a trap.
  @Test func hostileCheckpointsAreFaults() throws {
    let model = try model()
    let scratch = try Scratch()
    let path = scratch.file("checkpoint.safetensors")
    let points = [PartitionPoints(input: 1, output: 1)]
    try TrainingSnapshot.write(federation(model, .sequential, points), progress: Note(text: ""), to: path)
    let sound = try [UInt8](Data(contentsOf: URL(filePath: path)))
    let header = Int(sound[0]) | Int(sound[1]) << 8 | Int(sound[2]) << 16
    var random = SplitMix(state: 5)
    for round in 0..<400 {
      var bytes = sound
      if round % 4 == 0 { bytes.removeLast(1 + random.below(bytes.count - 1)) }
      for _ in 0..<1 + random.below(3) where !bytes.isEmpty {
        bytes[random.below(round % 2 == 0 ? bytes.count : min(bytes.count, header))] = UInt8(random.below(256))
      }
      try Data(bytes).write(to: URL(filePath: path))
      do {
        try TrainingSnapshot<Note>(contentsOf: path).restore(federation(model, .sequential, points), blocks: model.configuration.blocks)
      } catch is Fault {}
    }
    // Counters that the next step would overflow, in a header of the same length.
    let text = String(decoding: sound[8..<8 + header], as: UTF8.self)
    for (old, new) in [("sent\\\":[0]", "sent\\\":[\(UInt64.max)]"), ("steps\\\":0", "steps\\\":\(Int.max)")] {
      #expect(text.contains(old))
      let changed = [UInt8](text.replacingOccurrences(of: old, with: new).utf8)
      let length = withUnsafeBytes(of: UInt64(changed.count).littleEndian) { [UInt8]($0) }
      try Data(length + changed + sound[(8 + header)...]).write(to: URL(filePath: path))
      #expect(throws: Fault.self) { try TrainingSnapshot<Note>(contentsOf: path) }
    }
    try Data(sound).write(to: URL(filePath: path))
    let other = try federation(model, .clientBatch, points + points)
    #expect(throws: Fault.self) { try TrainingSnapshot<Note>(contentsOf: path).restore(other, blocks: model.configuration.blocks) }
  }

  @Test func theHelloRefusesWhatDiffers() throws {
    let model = try model()
    let blueprint = blueprint(model)
    let points = PartitionPoints(input: 1, output: 1)
    let identity = TrainingIdentity(checkpointSHA256: "c0", tokenizerSHA256: "70", planSHA256: "91")
    var server = blueprint
    server.identity = identity
    let good = Hello(
      client: 0, identity: identity, blocks: model.configuration.blocks, width: model.configuration.hiddenSize, partition: points)
    _ = try server.server([points]).open(good)
    let wrong: [(String, (inout Hello) -> Void)] = [
      ("checkpoint", { $0.identity.checkpointSHA256 = "c1" }), ("tokenizer", { $0.identity.tokenizerSHA256 = "" }),
      ("plan", { $0.identity.planSHA256 = "92" }), ("number of blocks", { $0.blocks += 1 }), ("width", { $0.width = 0 }),
      ("protocol version", { $0.version = 2 }), ("partition", { $0.partition.input = -1 }), ("partition", { $0.partition.output = .max }),
      ("number", { $0.client = -1 }), ("to run here", { $0.partition = PartitionPoints(input: 0, output: 1) }),
    ]
    for (word, change) in wrong {
      var hello = good
      change(&hello)
      let fault = #expect(throws: Fault.self) { try server.server([points]).open(hello) }
      #expect(fault?.message.contains(word) == true, "\(String(describing: fault))")
    }
  }

  /// A NaN loss names the client; the step and the checkpoint are the runner's.
  @Test func aLossThatIsNoNumberStops() throws {
    let model = try model()
    let blueprint = blueprint(model)
    let points = PartitionPoints(input: 0, output: 1)
    let client = try blueprint.client(points, of: blueprint.server([points]), number: 3)
    _ = try client.accumulate(texts(model, seed: 1))
    try client.update(rate: 1e38)
    let fault = #expect(throws: Fault.self) { try client.accumulate(texts(model, seed: 1)) }
    #expect(fault?.message.contains("client 3") == true)
  }

  @Test func theLedgerCountsThreeLayouts() {
    var ledger = WireLedger()
    ledger.add(lengths: [5, 3], channels: 10)
    #expect(ledger.tokens == 8 && ledger.bytes == 4 * (8 * 10 * 4 + 2 * 16))
    #expect(ledger.paddedHalfBytes == 4 * 2 * 5 * 10 * 2 && ledger.maskedHalfBytes == ledger.paddedHalfBytes + 2 * 25 * 2)
    ledger.add(lengths: [2], channels: 10)
    #expect(ledger.steps == 2 && ledger.bytes == 4 * (10 * 10 * 4 + 3 * 16))
    #expect(ledger.mean(\.bytes) == (Double(ledger.bytes) / 10, Double(ledger.bytes) / 2))
    #expect(ledger.mean(\.maskedHalfBytes).perStep == Double(800 + 100 + 160 + 8) / 2)
    #expect(WireLedger().mean(\.bytes) == (0, 0))
  }
}
