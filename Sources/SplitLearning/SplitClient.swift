import Diagnostics
package import Kernels
package import Llama

/// The client's side: tokens and logits never leave it; protected hidden states do.
package final class SplitClient {
  private let input: InputBlocks
  private let output: OutputBlocks
  private let transport: any SplitTransport
  private let protector: any StateProtector
  private let vocabulary: Int
  private var open: [UInt64: Sequence] = [:]

  private struct Sequence {
    var length = 0
    var input: SequenceCache
    var output: SequenceCache
  }

  package init(input: InputBlocks, output: OutputBlocks, transport: any SplitTransport, protector: any StateProtector = Unprotected()) {
    (self.input, self.output, self.transport, self.protector) = (input, output, transport, protector)
    vocabulary = input.embedding.rows
  }

  /// Appends tokens to sequences and returns the states after the last block [B, C], rows in the order given.
  /// - Parameter additions: sequence identifier and its new tokens (at least one each); identifiers are new or were used before.
  package func states(_ additions: [(sequence: UInt64, tokens: [Int32])]) throws -> Matrix {
    for (_, tokens) in additions {
      guard !tokens.isEmpty, tokens.allSatisfy({ $0 >= 0 && $0 < vocabulary }) else {
        throw Fault(.invalidData, "tokens to send must be non-empty and inside the vocabulary of \(vocabulary)")
      }
    }
    let ids = additions.map(\.sequence)
    var held = ids.map { open[$0] ?? Sequence(input: input.stack.emptyCache(), output: output.stack.emptyCache()) }
    let batch = PackedBatch(lengths: additions.map(\.tokens.count), pasts: held.map(\.length))

    var caches = held.map(\.input)
    let embedded = input.embedding.gather(additions.flatMap(\.tokens))
    let clean = input.stack.forward(embedded, batch, caches: &caches)
    for i in held.indices { held[i].input = caches[i] }

    let rowIDs = additions.flatMap { addition in addition.tokens.map { _ in addition.sequence } }
    let sent = SmashedData(
      sequences: ids, lengths: additions.map(\.tokens.count),
      states: protector.protect(clean, sequences: rowIDs, positions: batch.positions))
    let returned = try transport.forward(sent)
    try returned.expect(rows: sent.states.rows, columns: sent.states.columns)

    caches = held.map(\.output)
    let final = output.stack.forward(returned.states, batch, caches: &caches)
    for i in held.indices {
      held[i].output = caches[i]
      held[i].length += additions[i].tokens.count
      open[ids[i]] = held[i]
    }
    return final
  }

  /// Logits [B, V] of states after the last block.
  package func logits(_ states: Matrix) -> Matrix { output.head.logits(states) }

  /// Forgets sequences here and at the server.
  package func release(_ sequences: [UInt64]) throws {
    for id in sequences { open[id] = nil }
    try transport.release(sequences)
  }

  /// Continues a prompt by up to `count` tokens through the split: one state each way per token.
  package func generate(
    _ prompt: [Int32], count: Int, sequence: UInt64 = 0, sampling: Sampling = .greedy,
    random: CounterRandom = CounterRandom(seed: 0, stream: "generate"), endTokens: Set<Int32> = [], onToken: (Int32) -> Bool = { _ in true }
  ) throws -> [Int32] {
    var pending = prompt
    var out: [Int32] = []
    while out.count < count {
      let x = try states([(sequence, pending)])
      let token = sampling.choose(logits(x.slice(x.rows - 1..<x.rows))[row: 0], random: random, sequence: Int(sequence), step: out.count)
      out.append(token)
      if !onToken(token) || endTokens.contains(token) { break }
      pending = [token]
    }
    try release([sequence])
    return out
  }
}
