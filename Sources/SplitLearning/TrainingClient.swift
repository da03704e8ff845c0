import Diagnostics
import Kernels
package import Llama

/// One text to learn from.
package struct TrainingSequence: Sendable, Equatable {
  package var tokens: [Int32]
  /// As many; labels[t] is the token at t where it counts, else `ignoredLabel`.
  package var labels: [Int32]

  package init(tokens: [Int32], labels: [Int32]) { (self.tokens, self.labels) = (tokens, labels) }
}

/// The client's side of fine-tuning: the first and last blocks with what is trained of them, tokens, labels and the loss.
package final class TrainingClient {
  package private(set) var input: TrainingParty
  package private(set) var output: TrainingParty
  /// Which client of a federation, from 0.
  package let number: Int
  private let clip: Double?
  private let embedding: Weight
  private let head: OutputHead
  private let transport: any TrainingTransport
  private let protector: any StateProtector
  private let gradientProtector: any StateProtector
  /// The identifier of the next sequence: every send is a new one, so that noise is drawn afresh.
  package private(set) var sent: UInt64
  private var pending: Pending?

  /// What a step waits for its answers with.
  private struct Pending {
    let sent: SmashedData
    let batch: PackedBatch
    let labels: [Int32]
    let tape: TrainableStack.Tape

    var rowIDs: [UInt64] { zip(sent.sequences, sent.lengths).flatMap { id, length in repeatElement(id, count: length) } }
  }

  /// - Parameters:
  ///   - clip: bound on the norm of the gradients of all three parts together, or nil.
  ///   - protector: what is done to h_A before it leaves, in training as at inference.
  ///   - gradientProtector: what is done to ∂L/∂h_B before it leaves; a knob of its own.
  ///   - number: which client of a federation; their sequences have different identifiers.
  package init(
    input: TrainingParty, output: TrainingParty, embedding: Weight, head: OutputHead, clip: Double?, transport: any TrainingTransport,
    protector: any StateProtector = Unprotected(), gradientProtector: any StateProtector = Unprotected(), number: Int = 0
  ) {
    (self.input, self.output, self.embedding, self.head, self.transport) = (input, output, embedding, head, transport)
    (self.protector, self.gradientProtector, self.clip, self.number) = (protector, gradientProtector, clip, number)
    sent = UInt64(number) << 24
  }

  package var partition: PartitionPoints { PartitionPoints(input: input.range.count, output: output.range.count) }

  /// Adds the gradients of one batch: two messages to the server, two back.
  /// - Parameter divisor: labels the loss is divided by; the batch's own number by default, more when gradients are accumulated.
  /// - Returns: loss in nats over `divisor`.
  /// - Throws: `Fault` for tokens or labels outside the vocabulary, and when the loss is not a finite number.
  package func accumulate(_ sequences: [TrainingSequence], divisor: Int? = nil) throws -> Double {
    let answer = try transport.forward(begin(sequences))
    let (gradient, loss) = try lossGradient(answer, divisor: divisor)
    try finish(transport.backward(gradient))
    return loss
  }

  /// First message of a step: h_A of a batch, protected.
  func begin(_ sequences: [TrainingSequence]) throws -> SmashedData {
    try check(sequences)
    let (message, batch, tape) = sending(sequences.map(\.tokens), training: true)
    pending = Pending(sent: message, batch: batch, labels: sequences.flatMap(\.labels), tape: tape)
    return message
  }

  /// Second message: ∂L/∂h_B for the server's answer to the first, protected.
  func lossGradient(_ answer: SmashedData, divisor: Int?) throws -> (gradient: SmashedData, loss: Double) {
    guard let pending else { preconditionFailure("an answer without a message") }
    try answer.expect(rows: pending.sent.states.rows, columns: pending.sent.states.columns)
    let (last, tape) = output.trainable.forward(answer.states, pending.batch, sequences: pending.sent.sequences)
    let (loss, _, dLast) = head.loss(last, labels: pending.labels, batch: pending.batch, divisor: divisor)
    guard loss.isFinite else {
      throw Fault(.invalidData, "the loss of client \(number) is \(loss)", hint: "lower the learning rate or the noise")
    }
    let gradient = output.backward(dLast, tape)
    let shared = gradientProtector.protect(gradient, sequences: pending.rowIDs, positions: pending.batch.positions)
    return (SmashedData(sequences: pending.sent.sequences, lengths: pending.sent.lengths, states: shared), loss)
  }

  /// The server's answer to the second message, ∂L/∂h_A, goes through the first blocks.
  func finish(_ answer: SmashedData) throws {
    guard let pending else { preconditionFailure("an answer without a message") }
    try answer.expect(rows: pending.sent.states.rows, columns: pending.sent.states.columns)
    self.pending = nil
    _ = input.backward(answer.states, pending.tape)
  }

  /// Embeds texts, runs the first blocks and protects the states; every text is a new sequence, so that its noise is new.
  private func sending(_ texts: [[Int32]], training: Bool) -> (SmashedData, PackedBatch, TrainableStack.Tape) {
    let batch = PackedBatch(lengths: texts.map(\.count))
    let ids = texts.indices.map { sent + UInt64($0) }
    sent += UInt64(texts.count)
    let (clean, tape) = input.trainable.forward(embedding.gather(texts.flatMap { $0 }), batch, sequences: training ? ids : nil)
    let rows = zip(ids, texts).flatMap { id, text in text.map { _ in id } }
    let states = protector.protect(clean, sequences: rows, positions: batch.positions)
    return (SmashedData(sequences: ids, lengths: texts.map(\.count), states: states), batch, tape)
  }

  /// Natural logarithms of P(next | text so far) for whole texts through the split, protected as in training: for every text, the value of each
  /// option after its last token, `options[i]` being the token ids asked for after text i.
  package func nextTokenScores(_ texts: [[Int32]], options: [[Int32]]) throws -> [[Float]] {
    try check(texts.map { TrainingSequence(tokens: $0, labels: $0) } + options.map { TrainingSequence(tokens: $0, labels: $0) })
    let (message, batch, _) = sending(texts, training: false)
    let answer = try transport.infer(message)
    try answer.expect(rows: message.states.rows, columns: message.states.columns)
    let last = output.trainable.forward(answer.states, batch).output
    let ends = Matrix(rows: texts.count, columns: last.columns, values: batch.offsets.dropFirst().flatMap { last[row: $0 - 1] })
    let logits = head.logits(ends)
    let normalisers = head.compute.logSumExp(logits)
    return options.enumerated().map { i, ids in ids.map { logits[i, Int($0)] - normalisers[i] } }
  }

  /// Ends a step on both sides: gradients of all three parts are clipped together, as one model's would be.
  /// - Returns: their norm before clipping.
  @discardableResult package func update(rate: Float) throws -> Double {
    let squares = input.squares + (try transport.gradientSquares()) + output.squares
    let factor = clippingFactor(squares, bound: clip)
    updateOwn(rate: rate, factor: factor)
    try transport.update(rate: rate, factor: factor)
    return squares.reduce(0, +).squareRoot()
  }

  /// Ends a step on this side alone.
  func updateOwn(rate: Float, factor: Float) {
    input.update(rate: rate, factor: factor)
    output.update(rate: rate, factor: factor)
  }

  /// Moves the partition points between two steps; blocks take what was learned and their optimizer state along.
  /// - Returns: bytes of the states that crossed, both ways.
  /// - Throws: `Fault` 65 for points that do not fit, and when a block is trained whole on one side only.
  @discardableResult package func move(to points: PartitionPoints, blocks: Int) throws -> Int {
    precondition(pending == nil, "the partition cannot move within a step")
    let points = try points.validated(blocks: blocks)
    let (a, c) = (0..<points.input, blocks - points.output..<blocks)
    let own = [input, output].flatMap { party in party.range.map { ($0, party[state: $0]) } }
    let states = Dictionary(uniqueKeysWithValues: own)
    let given = states.filter { !a.contains($0.key) && !c.contains($0.key) }
    let taken = try transport.move(to: points, giving: given)
    let all = states.merging(taken) { own, _ in own }
    try input.reshape(to: a, states: all.filter { a.contains($0.key) })
    try output.reshape(to: c, states: all.filter { c.contains($0.key) })
    return (given.values.map(\.bytes) + taken.values.map(\.bytes)).reduce(0, +)
  }

  /// Takes over averages of what is trained, by block; the optimizer's state stays.
  func adopt(_ means: [Int: BlockAdapters]) {
    for block in input.range { if let mean = means[block] { input.adopt(mean, block: block) } }
    for block in output.range { if let mean = means[block] { output.adopt(mean, block: block) } }
    input.refresh()
    output.refresh()
  }

  /// This client with what its blocks learned, for generation with KV caches.
  func inference(over transport: any SplitTransport) -> SplitClient {
    SplitClient(
      input: InputBlocks(embedding: embedding, stack: input.trainable.adapted),
      output: OutputBlocks(stack: output.trainable.adapted, head: head), transport: transport, protector: protector)
  }

  /// Restores what a snapshot holds.
  func restore(sent: UInt64, _ body: (inout TrainingParty, inout TrainingParty) throws -> Void) rethrows {
    self.sent = sent
    try body(&input, &output)
  }

  private func check(_ sequences: [TrainingSequence]) throws {
    for sequence in sequences {
      guard !sequence.tokens.isEmpty, sequence.tokens.count == sequence.labels.count else {
        throw Fault(.invalidData, "\(sequence.labels.count) labels for a text of \(sequence.tokens.count) tokens")
      }
      for token in sequence.tokens + sequence.labels.filter({ $0 != ignoredLabel }) where token < 0 || token >= embedding.rows {
        throw Fault(.invalidData, "token or label \(token) is outside the vocabulary of \(embedding.rows)")
      }
    }
  }
}
