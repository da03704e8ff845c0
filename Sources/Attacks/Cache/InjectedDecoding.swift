import Checkpoints
package import Kernels
package import Llama
package import SplitLearning

/// Greedy decoding behind captured caches: new tokens see the captured positions in the server's blocks, and one another everywhere.
///
/// Of the client's blocks, before and behind the server, nobody captured a cache; there the new tokens attend to themselves alone, and count their
/// positions from 0: rotary attention depends on distances only. In the server's blocks positions go on behind the captured ones.
package struct InjectedDecoding {
  private let model: LlamaModel
  /// Tokens that are never written: control tokens would end a text that goes on.
  private let excluded: [Int32]
  private let parts: [BlockStack]
  /// Of each part: input, server, output; one cache a sequence.
  private var caches: [[SequenceCache]]

  /// - Parameter captured: the server's caches, one a sequence.
  package init(_ model: LlamaModel, _ points: PartitionPoints, captured: [SequenceCache], excluded: Set<Int32>) {
    (self.model, self.excluded) = (model, excluded.sorted())
    let end = model.configuration.blocks - points.output
    let (input, output) = (model.stack[0..<points.input], model.stack[end..<model.configuration.blocks])
    parts = [input, model.stack[points.input..<end], output]
    caches = [captured.map { _ in input.emptyCache() }, captured, captured.map { _ in output.emptyCache() }]
  }

  /// Logits of the token after `tokens` [sequences, V]; every sequence gets the same number of new tokens, at least one.
  package mutating func next(_ tokens: [[Int32]]) -> Matrix {
    precondition(tokens.count == caches[0].count && !(tokens.first?.isEmpty ?? true), "\(tokens.count) texts for \(caches[0].count)")
    var x = model.embedding.gather(tokens.flatMap { $0 })
    for (i, part) in parts.enumerated() {
      let batch = PackedBatch(lengths: tokens.map(\.count), pasts: caches[i].map(\.length))
      // Taken out, so that the storage is extended in place.
      var own = caches[i]
      caches[i] = []
      x = part.forward(x, batch, caches: &own)
      caches[i] = own
    }
    let ends = tokens.reduce(into: [Int]()) { $0.append(($0.last ?? -1) + $1.count) }
    return model.head.logits(model.compute.gather(x, rows: ends[...]))
  }

  /// The greedy continuations of `instruction`, `counts[i]` tokens behind cache `i`.
  /// - Parameter progress: called after every token; may throw to stop.
  package mutating func write(after instruction: [Int32], counts: [Int], progress: () throws -> Void) rethrows -> [[Int32]] {
    var pending = counts.map { _ in instruction }
    var written = counts.map { _ in [Int32]() }
    for step in 0..<(counts.max() ?? 0) {
      var logits = next(pending)
      for r in 0..<logits.rows { for token in excluded { logits[r, Int(token)] = -.infinity } }
      // Sequences that are done go on with the others, and what they write is dropped.
      let tokens = (0..<logits.rows).map { argmax(logits[row: $0]) }
      for i in tokens.indices where step < counts[i] { written[i].append(tokens[i]) }
      pending = tokens.map { [$0] }
      try progress()
    }
    return written
  }
}
