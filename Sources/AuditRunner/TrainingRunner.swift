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
  private let clients: [TrainingClient]
  private let servers: [TrainingServer]
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
    func part(_ range: Range<Int>) -> TrainableStack { TrainableStack(model.stack[range], plan.adapters, seed: UInt64(cell.seed)) }
    let rule = AdamW(weightDecay: Float(plan.weightDecay))
    let shared = plan.federation
    let mode: Federation.Mode =
      switch shared.mode {
      case "client-batch": .clientBatch
      case "server-hierarchical": .serverHierarchical(localSteps: shared.localSteps)
      default: .sequential
      }
    let copies = shared.mode == "server-hierarchical" ? shared.clients : 1
    let servers = (0..<copies).map { _ in
      let middle = part(points.input..<model.configuration.blocks - points.output)
      return TrainingServer(
        middle, optimizer: AdapterOptimizer(middle.adapters, rule: rule, clip: plan.clip), width: model.configuration.hiddenSize)
    }
    clients = (0..<shared.clients).map { number in
      TrainingClient(
        input: part(0..<points.input), output: part(model.configuration.blocks - points.output..<model.configuration.blocks),
        embedding: model.embedding, head: model.head, rule: rule, clip: plan.clip, transport: servers[min(number, copies - 1)],
        protector: defense.protector, number: number)
    }
    self.servers = servers
    federation = Federation(mode, clients: clients, servers: servers)
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

  /// Trains and judges. Randomness: order of examples, initial adapters and noise, all from the cell's seed.
  /// - Parameter progress: fraction done, step and its loss; may throw to stop.
  package func run(id: String, progress: (Double, Int, Double) throws -> Void) throws -> TrainingRecord.Cell {
    let before = try judge()
    let schedule = LearningRateSchedule(peak: Float(plan.learningRate), warmup: plan.warmup, steps: plan.steps, shape: plan.schedule)
    var ledger = WireLedger()
    var losses: [Double] = []
    var orders = shards.map { _ in [Int]() }
    var epochs = shards.map { _ in UInt64(0) }
    let started = Date()
    for step in 0..<plan.steps {
      let batches = shards.indices.map { batch(of: $0, &orders[$0], &epochs[$0]) }
      let loss: Double
      do {
        let each = try federation.step(batches, rate: schedule.rate(step))
        loss = each.reduce(0, +) / Double(each.count)
      } catch let fault as Fault {
        throw Fault(fault.code, "step \(step + 1): \(fault.message)", at: fault.location, hint: fault.hint)
      }
      for batch in batches { ledger.add(lengths: batch.map(\.tokens.count), channels: loaded.model.configuration.hiddenSize) }
      losses.append(loss)
      try progress(Double(step + 1) / Double(plan.steps), step + 1, loss)
    }
    let seconds = Date().timeIntervalSince(started)
    if clients.count > 1 { federation.average() }
    let after = try judge()
    let right = Int((after[TaskMetric.accuracy.rawValue]! * Double(data.validation.count)).rounded())
    let interval = clopperPearson(successes: right, trials: data.validation.count)
    return TrainingRecord.Cell(
      id: id, partitionInput: plan.model.partition.input, partitionOutput: plan.model.partition.output, seed: seed, defense: units,
      before: before, after: after, accuracyInterval: [interval.lower, interval.upper], trainingExamples: data.train.count,
      validationExamples: data.validation.count, losses: losses, seconds: seconds, tokensPerSecond: Double(ledger.tokens) / seconds,
      bytesPerToken: Double(ledger.bytes) / Double(ledger.tokens),
      paddedHalfBytesPerToken: Double(ledger.paddedHalfBytes) / Double(ledger.tokens), clients: clients.count,
      mode: plan.federation.mode, sequentialServerSteps: federation.sequentialServerSteps)
  }

  /// The next examples of a client, in an order that is drawn anew every epoch.
  private func batch(of client: Int, _ order: inout [Int], _ epoch: inout UInt64) -> [TrainingSequence] {
    while order.count < plan.batch {
      let stream = clients.count == 1 ? "training/order" : "training/order/\(client)"
      var generator = CounterRandom(seed: UInt64(seed), stream: stream).generator(item: epoch)
      order += shards[client].indices.shuffled(using: &generator)
      epoch += 1
    }
    defer { order.removeFirst(plan.batch) }
    return order.prefix(plan.batch).map { shards[client][$0].sequence }
  }

  /// All adapters, block by block.
  package var adapters: [BlockAdapters] { clients[0].input.adapters + servers[0].trainable.adapters + clients[0].output.adapters }

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
      let scores = try clients[0].nextTokenScores(examples.map(\.prompt), options: examples.map { $0.choices.map { $0[0] } })
      return scores.map { row in row.indices.max { row[$0] < row[$1] }! }
    }
    return try examples.map { example in
      let means = try example.choices.map { choice -> Float in
        let texts = choice.indices.map { example.prompt + choice.prefix($0) }
        return try clients[0].nextTokenScores(texts, options: choice.map { [$0] }).reduce(0) { $0 + $1[0] } / Float(choice.count)
      }
      return means.indices.max { means[$0] < means[$1] }!
    }
  }
}
