import Diagnostics
package import Kernels
package import Llama

/// One text to learn from.
package struct TrainingSequence: Sendable, Equatable {
  package var tokens: [Int32]
  /// As many; labels[t] is the token at t where it counts, else `ignoredLabel`.
  package var labels: [Int32]

  package init(tokens: [Int32], labels: [Int32]) { (self.tokens, self.labels) = (tokens, labels) }
}

/// The client's side of fine-tuning: the first and last blocks with their adapters, tokens, labels and the loss.
package final class TrainingClient {
  package private(set) var input: TrainableStack
  package private(set) var output: TrainableStack
  package private(set) var inputOptimizer: AdapterOptimizer
  package private(set) var outputOptimizer: AdapterOptimizer
  private let embedding: Weight
  private let head: OutputHead
  private let transport: any TrainingTransport
  private let protector: any StateProtector
  private let gradientProtector: any StateProtector
  private var inputGradients: [BlockAdapters]
  private var outputGradients: [BlockAdapters]
  /// The identifier of the next sequence: every send is a new one, so that noise is drawn afresh.
  private var sent: UInt64
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
  ///   - protector: what is done to h_A before it leaves, in training as at inference.
  ///   - gradientProtector: what is done to ∂L/∂h_B before it leaves; a knob of its own.
  ///   - number: which client of a federation; their sequences have different identifiers.
  package init(
    input: TrainableStack, output: TrainableStack, embedding: Weight, head: OutputHead, rule: AdamW, clip: Double?,
    transport: any TrainingTransport, protector: any StateProtector = Unprotected(),
    gradientProtector: any StateProtector = Unprotected(), number: Int = 0
  ) {
    (self.input, self.output, self.embedding, self.head, self.transport) = (input, output, embedding, head, transport)
    (self.protector, self.gradientProtector) = (protector, gradientProtector)
    sent = UInt64(number) << 24
    inputOptimizer = AdapterOptimizer(input.adapters, rule: rule, clip: clip)
    outputOptimizer = AdapterOptimizer(output.adapters, rule: rule, clip: clip)
    (inputGradients, outputGradients) = (input.zeroGradients, output.zeroGradients)
  }

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
    let (message, batch, tape) = sending(sequences.map(\.tokens))
    pending = Pending(sent: message, batch: batch, labels: sequences.flatMap(\.labels), tape: tape)
    return message
  }

  /// Second message: ∂L/∂h_B for the server's answer to the first, protected.
  func lossGradient(_ answer: SmashedData, divisor: Int?) throws -> (gradient: SmashedData, loss: Double) {
    guard let pending else { preconditionFailure("an answer without a message") }
    try answer.expect(rows: pending.sent.states.rows, columns: pending.sent.states.columns)
    let (last, tape) = output.forward(answer.states, pending.batch)
    let (loss, _, dLast) = head.loss(last, labels: pending.labels, batch: pending.batch, divisor: divisor)
    guard loss.isFinite else { throw Fault(.invalidData, "the loss is \(loss)", hint: "lower the learning rate or the noise") }
    let gradient = output.backward(dLast, tape, gradients: &outputGradients)
    let shared = gradientProtector.protect(gradient, sequences: pending.rowIDs, positions: pending.batch.positions)
    return (SmashedData(sequences: pending.sent.sequences, lengths: pending.sent.lengths, states: shared), loss)
  }

  /// The server's answer to the second message, ∂L/∂h_A, goes through the first blocks.
  func finish(_ answer: SmashedData) throws {
    guard let pending else { preconditionFailure("an answer without a message") }
    try answer.expect(rows: pending.sent.states.rows, columns: pending.sent.states.columns)
    self.pending = nil
    _ = input.backward(answer.states, pending.tape, gradients: &inputGradients)
  }

  /// Embeds texts, runs the first blocks and protects the states; every text is a new sequence, so that its noise is new.
  private func sending(_ texts: [[Int32]]) -> (SmashedData, PackedBatch, TrainableStack.Tape) {
    let batch = PackedBatch(lengths: texts.map(\.count))
    let ids = texts.indices.map { sent + UInt64($0) }
    sent += UInt64(texts.count)
    let (clean, tape) = input.forward(embedding.gather(texts.flatMap { $0 }), batch)
    let rows = zip(ids, texts).flatMap { id, text in text.map { _ in id } }
    let states = protector.protect(clean, sequences: rows, positions: batch.positions)
    return (SmashedData(sequences: ids, lengths: texts.map(\.count), states: states), batch, tape)
  }

  /// Natural logarithms of P(next | text so far) for whole texts through the split, protected as in training: for every text, the value of each
  /// option after its last token, `options[i]` being the token ids asked for after text i.
  package func nextTokenScores(_ texts: [[Int32]], options: [[Int32]]) throws -> [[Float]] {
    try check(texts.map { TrainingSequence(tokens: $0, labels: $0) } + options.map { TrainingSequence(tokens: $0, labels: $0) })
    let (message, batch, _) = sending(texts)
    let answer = try transport.forward(message)
    try answer.expect(rows: message.states.rows, columns: message.states.columns)
    let last = output.forward(answer.states, batch).output
    let ends = Matrix(rows: texts.count, columns: last.columns, values: batch.offsets.dropFirst().flatMap { last[row: $0 - 1] })
    let logits = head.logits(ends)
    let normalisers = head.compute.logSumExp(logits)
    return options.enumerated().map { i, ids in ids.map { logits[i, Int($0)] - normalisers[i] } }
  }

  /// Ends a step on both sides.
  package func update(rate: Float) throws {
    updateOwn(rate: rate)
    try transport.update(rate: rate)
  }

  /// Ends a step on this side alone.
  func updateOwn(rate: Float) {
    _ = inputOptimizer.update(&input.adapters, gradients: inputGradients, rate: rate)
    _ = outputOptimizer.update(&output.adapters, gradients: outputGradients, rate: rate)
    (inputGradients, outputGradients) = (input.zeroGradients, output.zeroGradients)
  }

  /// Takes over adapters, for example the average over all clients; the optimizer's state stays.
  func adopt(input: [BlockAdapters], output: [BlockAdapters]) {
    self.input.adapters = input
    self.output.adapters = output
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
