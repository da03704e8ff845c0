import Diagnostics
import Kernels
import Llama

/// Several clients that train one split model together.
///
/// Sources: FedSEA-LLaMA (client-batch and server-hierarchical), McMahan et al. 2017 (FedAvg).
package final class Federation {
  package enum Mode: Sendable, Hashable {
    /// One server; clients take turns, the server updates after each.
    case sequential
    /// One server; all clients' states go through it in one pass, one update.
    case clientBatch
    /// One copy of the middle adapters a client; all are averaged every so many local steps.
    case serverHierarchical(localSteps: Int)
  }

  private let mode: Mode
  package let clients: [TrainingClient]
  /// One, or in server-hierarchical mode one a client.
  package let servers: [TrainingServer]
  private let clip: Double?
  /// Steps taken.
  package internal(set) var steps = 0
  /// Passes through the middle blocks that had to wait for one another so far: what a server with enough machines cannot shorten.
  package internal(set) var sequentialServerSteps = 0
  /// Norm of all gradients of the last step before clipping; nil when each client had its own.
  package private(set) var lastNorm: Double?

  /// - Parameters:
  ///   - servers: one, or with `serverHierarchical` one a client; client i's transport must be its server's.
  ///   - clip: bound on the norm of all gradients of a client-batch step; the clients know their own otherwise.
  package init(_ mode: Mode, clients: [TrainingClient], servers: [TrainingServer], clip: Double? = nil) {
    var copies = 1
    if case .serverHierarchical = mode { copies = clients.count }
    precondition(!clients.isEmpty && servers.count == copies, "\(servers.count) servers for \(clients.count) clients in mode \(mode)")
    (self.mode, self.clients, self.servers, self.clip) = (mode, clients, servers, clip)
  }

  /// One step of every client over its own batch.
  /// - Parameter microbatches: parts that each batch is cut into; their gradients are added up before the update.
  /// - Returns: each client's loss, nats per label.
  package func step(_ batches: [[TrainingSequence]], rate: Float, microbatches: Int = 1) throws -> [Double] {
    precondition(batches.count == clients.count && microbatches > 0, "\(batches.count) batches for \(clients.count) clients")
    steps += 1
    switch mode {
    case .sequential:
      sequentialServerSteps += clients.count
      return try alone(batches, rate: rate, microbatches)
    case .clientBatch:
      sequentialServerSteps += 1
      return try together(batches, rate: rate, microbatches)
    case .serverHierarchical(let localSteps):
      sequentialServerSteps += 1
      let losses = try alone(batches, rate: rate, microbatches)
      if steps % max(1, localSteps) == 0 { try average() }
      return losses
    }
  }

  /// Sequences that are only judged have numbers from here on: training never gets so far, and no noise is drawn twice.
  package static let firstJudged: UInt64 = 1 << 23

  /// Client `index` and its server as they stand, for generation with KV caches, under the same protection.
  package func inference(client index: Int) -> SplitClient {
    let server = servers[min(index, servers.count - 1)]
    let client = clients[index]
    let middle = client.input.range.upperBound..<client.output.range.lowerBound
    return client.inference(over: InProcessTransport(SplitServer(server.inferenceBlocks(middle))))
  }

  /// Replaces every party's copy of each block by their mean: FedAvg, a copy counted as often as clients train it.
  package func average() throws {
    for (i, client) in clients.enumerated() {
      let own = [client.input, client.output].flatMap { party in zip(party.range, party.adapters).map { ($0, $1) } }
      try servers[min(i, servers.count - 1)].observer?(.round(client: client.number, blocks: Dictionary(uniqueKeysWithValues: own)))
    }
    var means: [Int: BlockAdapters] = [:]
    let ranges = clients.flatMap { [$0.input.range, $0.output.range] } + servers.map(\.party.range)
    guard let last = ranges.map(\.upperBound).max() else { return }
    for block in 0..<last {
      var (copies, weights) = ([BlockAdapters](), [Double]())
      for party in clients.flatMap({ [$0.input, $0.output] }) where party.range.contains(block) {
        copies.append(party.adapters[block - party.range.lowerBound])
        weights.append(1)
      }
      for server in servers where server.party.range.contains(block) && server.users(of: block) > 0 {
        copies.append(server.party.adapters[block - server.party.range.lowerBound])
        weights.append(Double(server.users(of: block)))
      }
      if !copies.isEmpty { means[block] = .mean(copies, weights: weights) }
    }
    for client in clients { client.adopt(means) }
    for server in servers { server.adopt(means) }
  }

  private func alone(_ batches: [[TrainingSequence]], rate: Float, _ microbatches: Int) throws -> [Double] {
    try zip(clients, batches).map { client, batch in
      let all = labelCount(batch)
      let loss = try pieces(batch, microbatches).reduce(0) { try $0 + client.accumulate($1, divisor: all) }
      let norm = try client.update(rate: rate)
      lastNorm = clients.count == 1 ? norm : nil
      return loss
    }
  }

  /// Client-batch: the loss is the mean over all clients' labels, so the gradients are those of one large batch.
  private func together(_ batches: [[TrainingSequence]], rate: Float, _ microbatches: Int) throws -> [Double] {
    let (server, labels) = (servers[0], batches.map(labelCount))
    let all = labels.reduce(0, +)
    var losses = clients.map { _ in 0.0 }
    let cut = batches.map { pieces($0, microbatches) }
    for turn in 0..<(cut.map(\.count).max() ?? 0) {
      let present = clients.indices.filter { turn < cut[$0].count }
      func requests(_ messages: [SmashedData]) -> [TrainingServer.Request] {
        zip(present, messages).map { .init(client: clients[$0].number, message: $1) }
      }
      let messages = try present.map { try clients[$0].begin(cut[$0][turn]) }
      let answers = try server.forward(requests(messages), training: true)
      let gradients = try zip(present, answers).map { try clients[$0].lossGradient($1, divisor: all) }
      for (index, part) in zip(present, try server.backward(requests(gradients.map(\.gradient)))) { try clients[index].finish(part) }
      for (index, gradient) in zip(present, gradients) { losses[index] += gradient.loss }
    }
    let squares = clients.flatMap(\.input.squares) + server.party.squares + clients.flatMap(\.output.squares)
    lastNorm = squares.reduce(0, +).squareRoot()
    let factor = clippingFactor(squares, bound: clip)
    for client in clients { client.updateOwn(rate: rate, factor: factor) }
    try server.update(rate: rate, factor: factor)
    return zip(losses, labels).map { $0 * Double(all) / Double(max(1, $1)) }
  }

  private func labelCount(_ batch: [TrainingSequence]) -> Int {
    batch.reduce(0) { $0 + $1.labels.dropFirst().count { $0 != ignoredLabel } }
  }

  /// `batch` in at most `count` parts of nearly equal size, none empty.
  private func pieces(_ batch: [TrainingSequence], _ count: Int) -> [[TrainingSequence]] {
    let count = min(count, batch.count)
    return (0..<count).map { Array(batch[$0 * batch.count / count..<($0 + 1) * batch.count / count]) }
  }
}
