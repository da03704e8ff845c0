import Checkpoints
package import Audit
import Defenses
import Diagnostics
import Foundation
import Kernels
package import Llama
import Privacy
import SplitLearning
import Tasks

/// Fine-tunes one cell of a training plan through the split, and judges the model before and after.
package struct TrainingRunner {
  private let plan: TrainingPlan
  private let seed: Int
  private let loaded: LoadedModel
  private let data: TaskData
  private let federation: Federation
  /// Training examples of each client.
  private let shards: [[TaskData.Item]]
  private let units: [String: SettingValue]
  private let noise: NoiseStatement
  /// SHA-256 of whatever decides the result beside the code: the cell's plan, weights, tokenizer, examples.
  package let origin: [String: String]

  package init(_ cell: TrainingPlan.Cell, loaded: LoadedModel, data: TaskData) throws {
    (plan, seed, self.loaded, self.data) = (cell.plan, cell.seed, loaded, data)
    let (model, plan) = (loaded.model, cell.plan)
    origin = Self.origin(cell, loaded: loaded, data: data)
    let points = try plan.model.partition.validated(blocks: model.configuration.blocks)
    let longest = (data.train + data.validation).map { $0.longest(generated: data.longestAnswer) }.max() ?? 0
    try loaded.requireRoom(for: longest, hint: "lower task.max_prompt_tokens")
    // Noise relative to the states is relative to those of the task's own prompts, before training.
    let statistics = try SplitExchange.statistics(data.train.prefix(64).map(\.prompt), model: model, inputBlocks: points.input)
    let defense = try DefenseCatalog.make(plan.defense).prepared(for: statistics, seed: UInt64(cell.seed))
    (units, noise) = (defense.units, defense.statement)
    // The server would have to train in the client's secret basis: its weights, gradients and adapters turned as well.
    guard !(defense.protector is any SecretBasis) else {
      throw Fault(
        .invalidData, "the server cannot train behind defense \"\(plan.defense.name)\": it is in a basis that it does not know",
        hint: "audit it with `run`, at inference")
    }
    var blueprint = TrainingBlueprint(
      model: model, adapters: plan.adapters, rule: AdamW(weightDecay: Float(plan.weightDecay)), clip: plan.clip, seed: UInt64(cell.seed),
      identity: TrainingIdentity(
        checkpointSHA256: loaded.description.sha256, tokenizerSHA256: loaded.description.tokenizerSHA256, planSHA256: plan.sha256))
    (blueprint.wholeInput, blueprint.wholeOutput) = (plan.full.contains("input"), plan.full.contains("output"))
    blueprint.checkpointing = plan.checkpointing
    let shared = plan.federation
    let mode: Federation.Mode =
      switch shared.mode {
      case "client-batch": .clientBatch
      case "server-hierarchical": .serverHierarchical(localSteps: shared.localSteps)
      default: .sequential
      }
    let partitions = try (shared.partitions ?? Array(repeating: points, count: shared.clients)).map {
      try $0.validated(blocks: model.configuration.blocks)
    }
    let servers =
      shared.mode == "server-hierarchical" ? partitions.map { blueprint.server([$0]) } : [blueprint.server(partitions)]
    let gradientProtector = plan.gradientDefense.map { GradientNoise($0, seed: UInt64(cell.seed)) }
    // Noise relative to the states is fixed once, at the plan's own cut: one σ for all clients.
    let clients = try partitions.enumerated().map { number, partition in
      try blueprint.client(
        partition, of: servers[min(number, servers.count - 1)], protector: defense.protector,
        gradientProtector: gradientProtector ?? Unprotected() as any StateProtector, number: number)
    }
    federation = Federation(mode, clients: clients, servers: servers, clip: plan.clip)
    shards = try Self.shards(data.train, shared, seed: UInt64(cell.seed))
  }

  /// What `origin` is for a cell, before anything is set up.
  package static func origin(_ cell: TrainingPlan.Cell, loaded: LoadedModel, data: TaskData) -> [String: String] {
    [
      "plan": cell.plan.sha256, "checkpoint": loaded.description.sha256, "tokenizer": loaded.description.tokenizerSHA256,
      "task": data.sha256,
    ]
  }

  /// Deals the training examples to the clients; labels decide only in multiple choice.
  private static func shards(_ examples: [TaskData.Item], _ plan: TrainingPlan.FederationPlan, seed: UInt64) throws
    -> [[TaskData.Item]]
  {
    guard let alpha = plan.alpha, plan.clients > 1 else {
      let dealt = (0..<plan.clients).map { client in stride(from: client, to: examples.count, by: plan.clients).map { examples[$0] } }
      guard dealt.allSatisfy({ !$0.isEmpty }) else { throw Fault(.invalidData, "\(examples.count) examples for \(plan.clients) clients") }
      return dealt
    }
    let choices = examples.compactMap { item -> TaskExample? in
      if case .choice(let example, _) = item.content { example } else { nil }
    }
    guard choices.count == examples.count else {
      throw Fault(.invalidData, "free text has no labels to deal by", hint: "drop federation.alpha for this task")
    }
    let known = Dictionary(zip(choices.map(\.id), examples)) { first, _ in first }
    return try TaskSplit.dirichletShards(choices, clients: plan.clients, alpha: alpha, seed: seed).map { $0.compactMap { known[$0.id] } }
  }

  /// Where a run stands between two steps; see `TrainingSnapshot` for the rest.
  private struct Progress: Codable {
    var cell: String
    /// Nil in files of earlier releases, which cannot be told from those of another run.
    var origin: [String: String]?
    var before: [String: Double]
    var losses: [Double] = []
    var norms: [Double] = []
    /// Examples still to come in this epoch, and epochs begun, of each client.
    var orders: [[Int]]
    var epochs: [UInt64]
    var ledger = WireLedger()
    var seconds = 0.0
  }

  /// Trains and judges. Randomness: order of examples, initial adapters, dropout and noise, all from the cell's seed.
  /// - Parameters:
  ///   - checkpoint: file that the run is saved to every `save_every` steps and goes on from if it is there; it is removed at the end.
  ///   - progress: fraction done, step and its loss; may throw to stop.
  ///   - recorder: files what the server sees; a recorded run is not resumed, its files are complete or absent.
  package func run(
    id: String, checkpoint: String? = nil, recorder: TrainingRecorder? = nil, progress: (Double, Int, Double) throws -> Void
  ) throws -> TrainingRecord.Cell {
    let checkpoint = recorder == nil ? checkpoint : nil
    recorder?.watch(federation)
    let model = loaded.model.configuration
    var state: Progress
    if let checkpoint, FileManager.default.fileExists(atPath: checkpoint) {
      let snapshot = try TrainingSnapshot<Progress>(contentsOf: checkpoint)
      guard snapshot.progress.cell == id, snapshot.progress.origin == origin, snapshot.progress.orders.count == shards.count,
        snapshot.progress.epochs.count == shards.count,
        zip(snapshot.progress.orders, shards).allSatisfy({ order, shard in order.allSatisfy(shard.indices.contains) }),
        snapshot.progress.ledger.isSound, snapshot.progress.epochs.allSatisfy({ $0 < 1 << 48 })
      else {
        throw Fault(.invalidData, "the checkpoint is of another run", at: checkpoint, hint: "delete it to start anew")
      }
      try snapshot.restore(federation, blocks: model.blocks)
      state = snapshot.progress
    } else {
      state = Progress(cell: id, origin: origin, before: try judge().values, orders: shards.map { _ in [] }, epochs: shards.map { _ in 0 })
    }
    let schedule = LearningRateSchedule(peak: Float(plan.learningRate), warmup: plan.warmup, steps: plan.steps, shape: plan.schedule)
    var started = Date()
    while federation.steps < plan.steps {
      let step = federation.steps
      for move in plan.repartition where move.step == step + 1 {
        for client in federation.clients { state.ledger.addMigration(bytes: try client.move(to: move.partition, blocks: model.blocks)) }
      }
      let drawn = shards.indices.map { batch(of: $0, &state.orders[$0], &state.epochs[$0]) }
      let batches = drawn.map { $0.map(\.sequence) }
      recorder?.expect(drawn, step: step)
      do {
        let each = try federation.step(batches, rate: schedule.rate(step), microbatches: plan.accumulate)
        state.losses.append(each.reduce(0, +) / Double(each.count))
      } catch let fault as Fault {
        let saved = checkpoint.flatMap { FileManager.default.fileExists(atPath: $0) ? $0 : nil }
        throw Fault(
          fault.code, "step \(step + 1): \(fault.message); the last good checkpoint is \(saved ?? "none yet")", at: fault.location,
          hint: fault.hint)
      }
      if let norm = federation.lastNorm { state.norms.append(norm) }
      for batch in batches { state.ledger.add(lengths: batch.map(\.tokens.count), channels: model.hiddenSize) }
      if let checkpoint, federation.steps % plan.saveEvery == 0, federation.steps < plan.steps {
        state.seconds += Date().timeIntervalSince(started)
        try TrainingSnapshot.write(federation, progress: state, to: checkpoint)
        started = Date()
      }
      try progress(Double(step + 1) / Double(plan.steps), step + 1, state.losses.last!)
    }
    state.seconds += Date().timeIntervalSince(started)
    if federation.clients.count > 1 { try federation.average() }
    try recorder?.close()
    let cell = try finished(state, after: try judge())
    if let checkpoint { try? FileManager.default.removeItem(atPath: checkpoint) }
    return cell
  }

  /// A recorder for `run` that files into `folder`.
  package func recorder(_ record: RecordPlan, folder: String, runID: String) throws -> TrainingRecorder {
    try TrainingRecorder(
      record, folder: folder,
      identity: ViewIdentity(
        runID: runID, planSHA256: plan.sha256, checkpointSHA256: loaded.description.sha256,
        tokenizerSHA256: loaded.description.tokenizerSHA256, created: Provenance.now(), fedseaVersion: Version.current),
      partition: plan.model.partition, width: loaded.model.configuration.hiddenSize, noise: noise,
      gradientNoise: plan.gradientDefense.map(GradientNoise.law) ?? .none)
  }

  /// What recording this run would write, in bytes, before anything runs: from the mean length of the training texts.
  package func predictedBytes(_ plan: RecordPlan) -> Int {
    let lengths = shards.flatMap { $0.map(\.sequence.tokens.count) }
    let steps = min(plan.steps ?? self.plan.steps, self.plan.steps)
    let sends = Double(steps * self.plan.batch * shards.count)
    let tokens = sends * Double(lengths.reduce(0, +)) / Double(max(1, lengths.count))
    let server = federation.servers.reduce(0) { $0 + $1.party.adapters.reduce(0) { $0 + $1.parameters } }
    let own = federation.clients.reduce(0) { $0 + ($1.input.adapters + $1.output.adapters).reduce(0) { $0 + $1.parameters } }
    var bytes = tokens * Double(loaded.model.configuration.hiddenSize * 4 * plan.views.count)
    if plan.channels.contains(RecordPlan.serverGradients) { bytes += Double(steps * server * 4) }
    if plan.channels.contains(RecordPlan.rounds) {
      let rounds = self.plan.federation.mode == "server-hierarchical" ? steps / self.plan.federation.localSteps + 1 : 1
      bytes += Double(rounds * own * 4)
    }
    return Int(min(bytes, 1e18))
  }

  private func finished(_ state: Progress, after: TaskJudgement) throws -> TrainingRecord.Cell {
    let ledger = state.ledger
    let (own, padded, masked) = (ledger.mean(\.bytes), ledger.mean(\.paddedHalfBytes), ledger.mean(\.maskedHalfBytes))
    return TrainingRecord.Cell(
      id: state.cell, partitionInput: plan.model.partition.input, partitionOutput: plan.model.partition.output, seed: seed, defense: units,
      before: state.before, after: after.values, metric: data.metrics[0], interval: after.interval, trainingExamples: data.train.count,
      validationExamples: data.validation.count, losses: state.losses, seconds: state.seconds,
      tokensPerSecond: Double(ledger.tokens) / state.seconds, bytesPerToken: own.perToken, paddedHalfBytesPerToken: padded.perToken,
      maskedHalfBytesPerToken: masked.perToken, bytesPerStep: own.perStep, paddedHalfBytesPerStep: padded.perStep,
      maskedHalfBytesPerStep: masked.perStep, migrationBytes: ledger.migrationBytes,
      gradientDefense: try plan.gradientDefense.map { try GradientNoise.statement($0, releases: Int(state.epochs.max() ?? 0)) },
      gradientNorms: state.norms.isEmpty ? nil : state.norms, partitions: federation.clients.map(\.partition),
      clients: federation.clients.count, mode: plan.federation.mode, sequentialServerSteps: federation.sequentialServerSteps)
  }

  /// The next examples of a client, in an order that is drawn anew every epoch.
  private func batch(of client: Int, _ order: inout [Int], _ epoch: inout UInt64) -> [TaskData.Item] {
    while order.count < plan.batch {
      let stream = federation.clients.count == 1 ? "training/order" : "training/order/\(client)"
      var generator = CounterRandom(seed: UInt64(seed), stream: stream).generator(item: epoch)
      order += shards[client].indices.shuffled(using: &generator)
      epoch += 1
    }
    defer { order.removeFirst(plan.batch) }
    return order.prefix(plan.batch).map { shards[client][$0] }
  }

  /// All adapters, block by block.
  package var adapters: [BlockAdapters] {
    let (client, server) = (federation.clients[0], federation.servers[0].party)
    let middle = client.input.range.upperBound..<client.output.range.lowerBound
    return client.input.adapters + middle.map { server.adapters[$0 - server.range.lowerBound] } + client.output.adapters
  }

  private func judge() throws -> TaskJudgement { try TaskJudgement(federation, data) }
}
