import Diagnostics
package import Kernels
package import Llama

/// The only way between client and server in training: four tensors a step (h_A, h_B, ∂L/∂h_B, ∂L/∂h_A), the norms of the server's gradients one
/// way and the word to update the other, and whole blocks when the partition moves. Tokens, labels and the loss never cross.
package protocol TrainingTransport {
  /// Sends h_A, returns h_B and waits for a gradient.
  func forward(_ message: SmashedData) throws -> SmashedData
  /// Sends h_A, returns h_B of the model as it is judged: no dropout, nothing kept.
  func infer(_ message: SmashedData) throws -> SmashedData
  /// Sends ∂L/∂h_B of the sequences of the last `forward`, returns ∂L/∂h_A.
  func backward(_ gradient: SmashedData) throws -> SmashedData
  /// Squared norms of the server's gradients, block by block: what clipping over all parties needs.
  func gradientSquares() throws -> [Double]
  /// Ends a step: the server updates with what was added up, times `factor`.
  func update(rate: Float, factor: Float) throws
  /// Moves the partition between two steps: the client gives the states of blocks it gives up and gets those of blocks it takes over.
  func move(to partition: PartitionPoints, giving states: [Int: BlockState]) throws -> [Int: BlockState]
}

/// The server's side of fine-tuning: the middle blocks, what is trained of them and its optimizer. Clients talk to it through sessions.
package final class TrainingServer {
  package private(set) var party: TrainingParty
  private let identity: TrainingIdentity
  private let blocks: Int
  private let width: Int
  private let longestSequence: Int
  /// Told of everything that passes here in training, in order: the seat of a curious server.
  package var observer: ((TrainingObservation) throws -> Void)?
  /// Blocks that run here for each client.
  private var ranges: [Int: Range<Int>] = [:]
  private var pending: Pending?

  /// What a forward pass waits for its gradient with: the messages, and the runs of blocks that some of them went through together.
  private struct Pending {
    let requests: [Request]
    let runs: [Run]
  }

  private struct Run {
    /// Indices of the requests whose rows ran, packed in this order.
    let members: [Int]
    let tape: TrainableStack.Tape
  }

  /// One client's message.
  package struct Request {
    package var client: Int
    package var message: SmashedData

    package init(client: Int, message: SmashedData) { (self.client, self.message) = (client, message) }
  }

  /// - Parameters:
  ///   - party: the blocks that run here for any client.
  ///   - blocks, width: of the whole model.
  package init(_ party: TrainingParty, identity: TrainingIdentity, blocks: Int, width: Int, longestSequence: Int = 8192) {
    (self.party, self.identity, self.blocks) = (party, identity, blocks)
    (self.width, self.longestSequence) = (width, longestSequence)
  }

  /// Opens a session. Throws `Fault` 65 that names the first thing the two sides disagree about.
  package func open(_ hello: Hello) throws -> ServerSession {
    try hello.check(against: identity, blocks: blocks, width: width)
    let range = middle(hello.partition)
    guard range.isEmpty || (party.range.contains(range.lowerBound) && party.range.contains(range.upperBound - 1)) else {
      throw Fault(.invalidData, "client \(hello.client) wants blocks \(range) to run here, but blocks \(party.range) do")
    }
    ranges[hello.client] = range
    return ServerSession(server: self, client: hello.client)
  }

  private func middle(_ partition: PartitionPoints) -> Range<Int> { partition.input..<blocks - partition.output }

  /// Runs the messages of several clients, together wherever their blocks are the same; h_B of each, in their order.
  /// Throws, and changes nothing, when a message does not fit the model or itself.
  package func forward(_ requests: [Request], training: Bool) throws -> [SmashedData] {
    let spans = try requests.map { request -> Range<Int> in
      try request.message.check(width: width, from: "client \(request.client)") { _ in longestSequence }
      guard let range = ranges[request.client] else { throw Fault(.invalidData, "client \(request.client) has not said hello") }
      return range
    }
    guard Set(requests.flatMap(\.message.sequences)).count == requests.reduce(0, { $0 + $1.message.sequences.count }) else {
      throw Fault(.invalidData, "two clients name the same sequence")
    }
    var states = requests.map(\.message.states)
    var runs: [Run] = []
    let cuts = Set(spans.flatMap { [$0.lowerBound, $0.upperBound] }).sorted()
    for (start, end) in zip(cuts, cuts.dropFirst()) {
      let members = requests.indices.filter { spans[$0].lowerBound <= start && end <= spans[$0].upperBound }
      guard !members.isEmpty else { continue }
      let messages = members.map { requests[$0].message }
      let (output, tape) = party.trainable.forward(
        Matrix(stacking: members.map { states[$0] }), PackedBatch(lengths: messages.flatMap(\.lengths)), range: start..<end,
        sequences: training ? messages.flatMap(\.sequences) : nil)
      if training { runs.append(Run(members: members, tape: tape)) }
      deal(output, to: members, &states)
    }
    let answers = zip(requests, states).map { SmashedData(sequences: $0.message.sequences, lengths: $0.message.lengths, states: $1) }
    if training {
      pending = Pending(requests: requests, runs: runs)
      for (request, answer) in zip(requests, answers) {
        try observer?(.states(client: request.client, sent: request.message, returned: answer.states))
      }
    }
    return answers
  }

  /// ∂L/∂h_A for ∂L/∂h_B of the messages of the last `forward`, in the same order.
  package func backward(_ gradients: [Request]) throws -> [SmashedData] {
    for gradient in gradients { try gradient.message.check(width: width, from: "client \(gradient.client)") { _ in longestSequence } }
    guard let pending, pending.requests.count == gradients.count,
      zip(pending.requests, gradients).allSatisfy({
        $0.client == $1.client && $0.message.sequences == $1.message.sequences && $0.message.lengths == $1.message.lengths
      })
    else { throw Fault(.invalidData, "the client sent a gradient for sequences other than those of its last forward message") }
    self.pending = nil
    var states = gradients.map(\.message.states)
    for run in pending.runs.reversed() {
      deal(party.backward(Matrix(stacking: run.members.map { states[$0] }), run.tape), to: run.members, &states)
    }
    for (gradient, answer) in zip(gradients, states) {
      try observer?(.gradients(client: gradient.client, sent: gradient.message, returned: answer))
    }
    return zip(gradients, states).map { SmashedData(sequences: $0.message.sequences, lengths: $0.message.lengths, states: $1) }
  }

  package func update(rate: Float, factor: Float) throws {
    guard rate.isFinite, rate >= 0, factor.isFinite, factor >= 0 else {
      throw Fault(.invalidData, "a learning rate of \(rate), a clipping factor of \(factor)")
    }
    try observer?(.update(range: party.range, gradients: party.gradients))
    party.update(rate: rate, factor: factor)
  }

  /// Takes over averages of what is trained, by block.
  func adopt(_ means: [Int: BlockAdapters]) {
    for block in party.range { if let mean = means[block] { party.adopt(mean, block: block) } }
    party.refresh()
  }

  /// Clients that run `block` here.
  func users(of block: Int) -> Int { ranges.values.count { $0.contains(block) } }

  /// See `TrainingTransport.move`. A block that other clients run here too is averaged with the newcomer's copy, each counted as often as clients
  /// train it; a block that nobody runs here any more goes.
  func move(client: Int, to partition: PartitionPoints, giving states: [Int: BlockState]) throws -> [Int: BlockState] {
    guard pending == nil else { throw Fault(.invalidData, "the partition cannot move within a step") }
    let new = middle(try partition.validated(blocks: blocks))
    guard let old = ranges[client] else { throw Fault(.invalidData, "client \(client) has not said hello") }
    let taken = Dictionary(uniqueKeysWithValues: old.filter { !new.contains($0) }.map { ($0, party[state: $0]) })
    var arriving: [Int: BlockState] = [:]
    for block in new where !old.contains(block) {
      guard let state = states[block] else { throw Fault(.invalidData, "client \(client) did not send block \(block)") }
      let users = self.users(of: block)
      arriving[block] = users > 0 && party.range.contains(block) ? .mean(party[state: block], Double(users), state, 1) : state
    }
    ranges[client] = new
    let used = ranges.values.filter { !$0.isEmpty }
    let range = used.isEmpty ? new : used.map(\.lowerBound).min()!..<used.map(\.upperBound).max()!
    try party.reshape(to: range, states: arriving)
    return taken
  }

  /// Blocks `range` with what they learned, for inference.
  func inferenceBlocks(_ range: Range<Int>) -> MiddleBlocks {
    // A client that has all blocks itself asks for none, wherever that is.
    let own = range.isEmpty ? party.range.lowerBound..<party.range.lowerBound : range
    return MiddleBlocks(stack: party.trainable.adapted[own], width: width)
  }

  /// Restores what a snapshot holds.
  func restore(_ body: (inout TrainingParty) throws -> Void) rethrows { try body(&party) }
}

/// What a server sees and computes in training.
package enum TrainingObservation {
  /// h̃_A of one client's message, and h_B that went back (O1, O7; O3 when a text comes again).
  case states(client: Int, sent: SmashedData, returned: Matrix)
  /// ∂L/∂h_B of one client's message, and ∂L/∂h_A that went back (O8, O9).
  case gradients(client: Int, sent: SmashedData, returned: Matrix)
  /// Gradients of what the server trains, before it updates (O9). One entry a block of `range`.
  case update(range: Range<Int>, gradients: [BlockAdapters])
  /// What a client trains of its own blocks, as it passes through the server to be averaged (O11).
  case round(client: Int, blocks: [Int: BlockAdapters])
}

/// One client's connection to a server in the same process.
package struct ServerSession: TrainingTransport {
  package let server: TrainingServer
  package let client: Int

  fileprivate init(server: TrainingServer, client: Int) { (self.server, self.client) = (server, client) }

  package func forward(_ message: SmashedData) throws -> SmashedData {
    try server.forward([.init(client: client, message: message)], training: true)[0]
  }

  package func infer(_ message: SmashedData) throws -> SmashedData {
    try server.forward([.init(client: client, message: message)], training: false)[0]
  }

  package func backward(_ gradient: SmashedData) throws -> SmashedData {
    try server.backward([.init(client: client, message: gradient)])[0]
  }

  package func gradientSquares() -> [Double] { server.party.squares }
  package func update(rate: Float, factor: Float) throws { try server.update(rate: rate, factor: factor) }

  package func move(to partition: PartitionPoints, giving states: [Int: BlockState]) throws -> [Int: BlockState] {
    try server.move(client: client, to: partition, giving: states)
  }
}

/// Cuts `rows` into the shapes of `states[members]` and puts the pieces there.
private func deal(_ rows: Matrix, to members: [Int], _ states: inout [Matrix]) {
  guard members.count > 1 else { return states[members[0]] = rows }
  var first = 0
  for member in members {
    let count = states[member].rows
    states[member] = rows.slice(first..<first + count)
    first += count
  }
}
