package import Kernels

extension BlockStack {
  /// States after the last block of many one-token continuations of stored prefixes, which are evaluated at once and not stored: the inner
  /// loop of vocabulary matching. Row r runs as the next token after prefix `prefixOf[r]`.
  /// - Parameters:
  ///   - x: embeddings of the candidate tokens [B, C].
  ///   - prefixOf: index into `caches` for each row.
  /// - Returns: [B, C].
  package func candidates(_ x: Matrix, prefixOf: [Int], caches: [SequenceCache]) -> Matrix {
    precondition(prefixOf.count == x.rows, "\(prefixOf.count) prefixes for \(x.rows) rows")
    guard !blocks.isEmpty, x.rows > 0 else { return x }
    let rotary = RotaryTable(positions: prefixOf.map { caches[$0].length }, frequencies: frequencies)
    var states = x
    for (i, block) in blocks.enumerated() {
      let (q, k, v) = block.project(states, rotary: rotary, compute)
      let attended = compute.attendRows(
        q, ownKeys: k, ownValues: v, prefixOf: prefixOf, prefixes: caches.map { $0.blocks[i] }, shape: block.shape)
      block.finish(&states, attended: attended, compute)
    }
    return states
  }
}
