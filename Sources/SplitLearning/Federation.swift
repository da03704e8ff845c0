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
  private let clients: [TrainingClient]
  /// One, or in server-hierarchical mode one a client.
  private let servers: [TrainingServer]
  private var step = 0
  /// Passes through the middle blocks that had to wait for one another so far: what a server with enough machines cannot shorten.
  package private(set) var sequentialServerSteps = 0

  /// - Parameter servers: one, or with `serverHierarchical` one a client; client i's transport must be its server.
  package init(_ mode: Mode, clients: [TrainingClient], servers: [TrainingServer]) {
    var copies = 1
    if case .serverHierarchical = mode { copies = clients.count }
    precondition(!clients.isEmpty && servers.count == copies, "\(servers.count) servers for \(clients.count) clients in mode \(mode)")
    (self.mode, self.clients, self.servers) = (mode, clients, servers)
  }

  /// One step of every client over its own batch.
  /// - Returns: each client's loss.
  package func step(_ batches: [[TrainingSequence]], rate: Float) throws -> [Double] {
    precondition(batches.count == clients.count, "\(batches.count) batches for \(clients.count) clients")
    step += 1
    switch mode {
    case .sequential:
      sequentialServerSteps += clients.count
      return try zip(clients, batches).map { client, batch in
        let loss = try client.accumulate(batch)
        try client.update(rate: rate)
        return loss
      }
    case .clientBatch:
      sequentialServerSteps += 1
      return try together(batches, rate: rate)
    case .serverHierarchical(let localSteps):
      sequentialServerSteps += 1
      let losses = try zip(clients, batches).map { client, batch in
        let loss = try client.accumulate(batch)
        try client.update(rate: rate)
        return loss
      }
      if step % max(1, localSteps) == 0 { average() }
      return losses
    }
  }

  /// Replaces every party's adapters by their mean over the clients: FedAvg with equal weights.
  package func average() {
    let input = mean(clients.map(\.input.adapters))
    let output = mean(clients.map(\.output.adapters))
    for client in clients { client.adopt(input: input, output: output) }
    let middle = mean(servers.map(\.trainable.adapters))
    for server in servers { server.adopt(middle) }
  }

  /// Client-batch: the loss is the mean over all clients' labels, so the gradients are those of one large batch.
  private func together(_ batches: [[TrainingSequence]], rate: Float) throws -> [Double] {
    let server = servers[0]
    let labels = batches.map { $0.reduce(0) { $0 + $1.labels.dropFirst().count { $0 != ignoredLabel } } }
    let all = labels.reduce(0, +)
    let messages = try zip(clients, batches).map { try $0.begin($1) }
    let answers = try SmashedData(joining: messages).forwarded(by: server).parts(like: messages)
    let gradients = try zip(clients, answers).map { try $0.lossGradient($1, divisor: all) }
    let back = try server.backward(SmashedData(joining: gradients.map(\.gradient))).parts(like: messages)
    for (client, part) in zip(clients, back) { try client.finish(part) }
    for client in clients { client.updateOwn(rate: rate) }
    try server.update(rate: rate)
    return zip(gradients, labels).map { $0.loss * Double(all) / Double(max(1, $1)) }
  }

  private func mean(_ sets: [[BlockAdapters]]) -> [BlockAdapters] {
    guard sets.count > 1 else { return sets[0] }
    return sets[0].indices.map { i in
      var block = sets[0][i]
      for target in block.targets {
        block.pairs[target]!.a.values = mean(sets.map { $0[i].pairs[target]!.a.values })
        block.pairs[target]!.b.values = mean(sets.map { $0[i].pairs[target]!.b.values })
      }
      return block
    }
  }

  private func mean(_ vectors: [[Float]]) -> [Float] {
    vectors[0].indices.map { k in Float(vectors.reduce(0.0) { $0 + Double($1[k]) } / Double(vectors.count)) }
  }
}

extension SmashedData {
  /// Messages of several clients as one.
  fileprivate init(joining messages: [SmashedData]) {
    self.init(
      sequences: messages.flatMap(\.sequences), lengths: messages.flatMap(\.lengths),
      states: Matrix(
        rows: messages.reduce(0) { $0 + $1.states.rows }, columns: messages[0].states.columns, values: messages.flatMap(\.states.values)))
  }

  fileprivate func forwarded(by server: TrainingServer) throws -> SmashedData { try server.forward(self) }

  /// This message cut into the shapes of `messages`.
  fileprivate func parts(like messages: [SmashedData]) -> [SmashedData] {
    var row = 0
    return messages.map { message in
      defer { row += message.states.rows }
      return SmashedData(sequences: message.sequences, lengths: message.lengths, states: states.slice(row..<row + message.states.rows))
    }
  }
}
