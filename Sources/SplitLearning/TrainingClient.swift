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
  /// Sequences sent so far: every send is a new sequence, so that noise is drawn afresh.
  private var sent: UInt64 = 0

  /// - Parameters:
  ///   - protector: what is done to h_A before it leaves, in training as at inference.
  ///   - gradientProtector: what is done to ∂L/∂h_B before it leaves; a knob of its own.
  package init(
    input: TrainableStack, output: TrainableStack, embedding: Weight, head: OutputHead, rule: AdamW, clip: Double?,
    transport: any TrainingTransport, protector: any StateProtector = Unprotected(),
    gradientProtector: any StateProtector = Unprotected()
  ) {
    (self.input, self.output, self.embedding, self.head, self.transport) = (input, output, embedding, head, transport)
    (self.protector, self.gradientProtector) = (protector, gradientProtector)
    inputOptimizer = AdapterOptimizer(input.adapters, rule: rule, clip: clip)
    outputOptimizer = AdapterOptimizer(output.adapters, rule: rule, clip: clip)
    (inputGradients, outputGradients) = (input.zeroGradients, output.zeroGradients)
  }

  /// Adds the gradients of one batch: two messages to the server, two back.
  /// - Parameter divisor: labels the loss is divided by; the batch's own number by default, more when gradients are accumulated.
  /// - Returns: loss in nats over `divisor`.
  /// - Throws: `Fault` for tokens or labels outside the vocabulary, and when the loss is not a finite number.
  package func accumulate(_ sequences: [TrainingSequence], divisor: Int? = nil) throws -> Double {
    try check(sequences)
    let batch = PackedBatch(lengths: sequences.map(\.tokens.count))
    let ids = sequences.indices.map { sent + UInt64($0) }
    sent += UInt64(sequences.count)
    let rows = zip(ids, sequences).flatMap { id, sequence in sequence.tokens.map { _ in id } }

    let (clean, inputTape) = input.forward(embedding.gather(sequences.flatMap(\.tokens)), batch)
    let states = protector.protect(clean, sequences: rows, positions: batch.positions)
    let answer = try transport.forward(SmashedData(sequences: ids, lengths: sequences.map(\.tokens.count), states: states))
    try answer.expect(rows: states.rows, columns: states.columns)

    let (last, outputTape) = output.forward(answer.states, batch)
    let (loss, _, dLast) = head.loss(last, labels: sequences.flatMap(\.labels), batch: batch, divisor: divisor)
    guard loss.isFinite else { throw Fault(.invalidData, "the loss is \(loss)", hint: "lower the learning rate or the noise") }

    let dServer = output.backward(dLast, outputTape, gradients: &outputGradients)
    let shared = gradientProtector.protect(dServer, sequences: rows, positions: batch.positions)
    let back = try transport.backward(SmashedData(sequences: ids, lengths: sequences.map(\.tokens.count), states: shared))
    try back.expect(rows: states.rows, columns: states.columns)
    _ = input.backward(back.states, inputTape, gradients: &inputGradients)
    return loss
  }

  /// Natural logarithms of P(next | text so far) for whole texts through the split, protected as in training: for every text, the value of each
  /// option after its last token, `options[i]` being the token ids asked for after text i.
  package func nextTokenScores(_ texts: [[Int32]], options: [[Int32]]) throws -> [[Float]] {
    try check(texts.map { TrainingSequence(tokens: $0, labels: $0) } + options.map { TrainingSequence(tokens: $0, labels: $0) })
    let batch = PackedBatch(lengths: texts.map(\.count))
    let last = try through(texts, batch)
    let ends = Matrix(rows: texts.count, columns: last.columns, values: batch.offsets.dropFirst().flatMap { last[row: $0 - 1] })
    let logits = head.logits(ends)
    let normalisers = head.compute.logSumExp(logits)
    return options.enumerated().map { i, ids in ids.map { logits[i, Int($0)] - normalisers[i] } }
  }

  /// States after the last block.
  private func through(_ texts: [[Int32]], _ batch: PackedBatch) throws -> Matrix {
    let ids = texts.indices.map { sent + UInt64($0) }
    sent += UInt64(texts.count)
    let rows = zip(ids, texts).flatMap { id, text in text.map { _ in id } }
    let clean = input.forward(embedding.gather(texts.flatMap { $0 }), batch).output
    let states = protector.protect(clean, sequences: rows, positions: batch.positions)
    let answer = try transport.forward(SmashedData(sequences: ids, lengths: texts.map(\.count), states: states))
    try answer.expect(rows: states.rows, columns: states.columns)
    return output.forward(answer.states, batch).output
  }

  /// Ends a step on both sides.
  package func update(rate: Float) throws {
    _ = inputOptimizer.update(&input.adapters, gradients: inputGradients, rate: rate)
    _ = outputOptimizer.update(&output.adapters, gradients: outputGradients, rate: rate)
    (inputGradients, outputGradients) = (input.zeroGradients, output.zeroGradients)
    try transport.update(rate: rate)
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
