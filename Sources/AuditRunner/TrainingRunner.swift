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
  private let shards: [[TaskData.TokenisedExample]]
  private let units: [String: SettingValue]

  /// Prompts judged in one message.
  private static let judgedTogether = 16

  package init(_ cell: TrainingPlan.Cell, loaded: LoadedModel, data: TaskData) throws {
    (plan, seed, self.loaded, self.data) = (cell.plan, cell.seed, loaded, data)
    let (model, plan) = (loaded.model, cell.plan)
    let points = try plan.model.partition.validated(blocks: model.configuration.blocks)
    // Noise relative to the states is relative to those of the task's own prompts, before training.
    let statistics = try SplitExchange.statistics(data.train.prefix(64).map(\.prompt), model: model, inputBlocks: points.input)
    let defense = try DefenseCatalog.make(plan.defense).prepared(for: statistics, seed: UInt64(cell.seed))
    units = defense.units
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

  private static func shards(_ examples: [TaskData.TokenisedExample], _ plan: TrainingPlan.FederationPlan, seed: UInt64) throws
    -> [[TaskData.TokenisedExample]]
  {
    guard let alpha = plan.alpha, plan.clients > 1 else {
      let dealt = (0..<plan.clients).map { client in stride(from: client, to: examples.count, by: plan.clients).map { examples[$0] } }
      guard dealt.allSatisfy({ !$0.isEmpty }) else { throw Fault(.invalidData, "\(examples.count) examples for \(plan.clients) clients") }
      return dealt
    }
    let known = Dictionary(examples.map { ($0.example.id, $0) }) { first, _ in first }
    return try TaskSplit.dirichletShards(examples.map(\.example), clients: plan.clients, alpha: alpha, seed: seed)
      .map { $0.compactMap { known[$0.id] } }
  }

  /// Where a run stands between two steps; see `TrainingSnapshot` for the rest.
  private struct Progress: Codable {
    var cell: String
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
  package func run(id: String, checkpoint: String? = nil, progress: (Double, Int, Double) throws -> Void) throws -> TrainingRecord.Cell {
    let model = loaded.model.configuration
    var state: Progress
    if let checkpoint, FileManager.default.fileExists(atPath: checkpoint) {
      let snapshot = try TrainingSnapshot<Progress>(contentsOf: checkpoint)
      guard snapshot.progress.cell == id, snapshot.progress.orders.count == shards.count, snapshot.progress.epochs.count == shards.count,
        zip(snapshot.progress.orders, shards).allSatisfy({ order, shard in order.allSatisfy(shard.indices.contains) })
      else {
        throw Fault(.invalidData, "the checkpoint is of another run", at: checkpoint, hint: "delete it to start anew")
      }
      try snapshot.restore(federation, blocks: model.blocks)
      state = snapshot.progress
    } else {
      state = Progress(cell: id, before: try judge(), orders: shards.map { _ in [] }, epochs: shards.map { _ in 0 })
    }
    let schedule = LearningRateSchedule(peak: Float(plan.learningRate), warmup: plan.warmup, steps: plan.steps, shape: plan.schedule)
    var started = Date()
    while federation.steps < plan.steps {
      let step = federation.steps
      for move in plan.repartition where move.step == step + 1 {
        for client in federation.clients { state.ledger.addMigration(bytes: try client.move(to: move.partition, blocks: model.blocks)) }
      }
      let batches = shards.indices.map { batch(of: $0, &state.orders[$0], &state.epochs[$0]) }
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
    if federation.clients.count > 1 { federation.average() }
    let cell = try finished(state, after: try judge())
    if let checkpoint { try? FileManager.default.removeItem(atPath: checkpoint) }
    return cell
  }

  private func finished(_ state: Progress, after: [String: Double]) throws -> TrainingRecord.Cell {
    let right = Int((after[TaskMetric.accuracy.rawValue]! * Double(data.validation.count)).rounded())
    let interval = clopperPearson(successes: right, trials: data.validation.count)
    let (ledger, tokens) = (state.ledger, Double(state.ledger.tokens))
    return TrainingRecord.Cell(
      id: state.cell, partitionInput: plan.model.partition.input, partitionOutput: plan.model.partition.output, seed: seed, defense: units,
      before: state.before, after: after, accuracyInterval: [interval.lower, interval.upper], trainingExamples: data.train.count,
      validationExamples: data.validation.count, losses: state.losses, seconds: state.seconds, tokensPerSecond: tokens / state.seconds,
      bytesPerToken: Double(ledger.bytes) / tokens, paddedHalfBytesPerToken: Double(ledger.paddedHalfBytes) / tokens,
      maskedHalfBytesPerToken: Double(ledger.maskedHalfBytes) / tokens, migrationBytes: ledger.migrationBytes,
      gradientDefense: try plan.gradientDefense.map { try GradientNoise.statement($0, releases: Int(state.epochs.max() ?? 0)) },
      gradientNorms: state.norms.isEmpty ? nil : state.norms, partitions: federation.clients.map(\.partition),
      clients: federation.clients.count, mode: plan.federation.mode, sequentialServerSteps: federation.sequentialServerSteps)
  }

  /// The next examples of a client, in an order that is drawn anew every epoch.
  private func batch(of client: Int, _ order: inout [Int], _ epoch: inout UInt64) -> [TrainingSequence] {
    while order.count < plan.batch {
      let stream = federation.clients.count == 1 ? "training/order" : "training/order/\(client)"
      var generator = CounterRandom(seed: UInt64(seed), stream: stream).generator(item: epoch)
      order += shards[client].indices.shuffled(using: &generator)
      epoch += 1
    }
    defer { order.removeFirst(plan.batch) }
    return order.prefix(plan.batch).map { shards[client][$0].sequence }
  }

  /// All adapters, block by block.
  package var adapters: [BlockAdapters] {
    let (client, server) = (federation.clients[0], federation.servers[0].party)
    let middle = client.input.range.upperBound..<client.output.range.lowerBound
    return client.input.adapters + middle.map { server.adapters[$0 - server.range.lowerBound] } + client.output.adapters
  }

  /// The choice with the largest probability of its first token that tells the choices apart; metrics of the whole validation part.
  private func judge() throws -> [String: Double] {
    var predicted: [Int] = []
    for start in stride(from: 0, to: data.validation.count, by: Self.judgedTogether) {
      let group = data.validation[start..<min(start + Self.judgedTogether, data.validation.count)]
      predicted += try predictions(Array(group))
    }
    let score = TaskScore(Array(Set(data.metrics + [.accuracy])), predicted: predicted, of: data.validation.map(\.example))
    return Dictionary(uniqueKeysWithValues: score.values.map { ($0.key.rawValue, $0.value) })
  }

  /// Choices of one token are compared after the prompt alone; longer ones token by token, by their mean log-probability.
  private func predictions(_ examples: [TaskData.TokenisedExample]) throws -> [Int] {
    if examples.allSatisfy({ $0.choices.allSatisfy { $0.count == 1 } }) {
      let scores = try federation.clients[0].nextTokenScores(examples.map(\.prompt), options: examples.map { $0.choices.map { $0[0] } })
      return scores.map { row in row.indices.max { row[$0] < row[$1] }! }
    }
    return try examples.map { example in
      let means = try example.choices.map { choice -> Float in
        let texts = choice.indices.map { example.prompt + choice.prefix($0) }
        return try federation.clients[0].nextTokenScores(texts, options: choice.map { [$0] }).reduce(0) { $0 + $1[0] } / Float(choice.count)
      }
      return means.indices.max { means[$0] < means[$1] }!
    }
  }
}
