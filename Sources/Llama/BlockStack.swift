package import Checkpoints
package import Kernels

/// A run of consecutive blocks: the whole model's, or one party's share of them.
package struct BlockStack: Sendable {
  package let blocks: [Block]
  /// Index of the first block in the whole model.
  package let first: Int
  package let frequencies: [Float]
  package let compute: Compute

  /// Loads blocks `range` of the checkpoint.
  package init(_ checkpoint: Checkpoint, range: Range<Int>, precision: Precision, compute: Compute) throws {
    blocks = try range.map { try Block(checkpoint, index: $0, precision: precision, compute: compute) }
    first = range.lowerBound
    frequencies = rotaryFrequencies(checkpoint.configuration)
    self.compute = compute
  }

  private init(blocks: [Block], first: Int, frequencies: [Float], compute: Compute) {
    (self.blocks, self.first, self.frequencies, self.compute) = (blocks, first, frequencies, compute)
  }

  /// Blocks `range` (indices of the whole model) of this stack; weights are shared, not copied.
  package subscript(range: Range<Int>) -> BlockStack {
    BlockStack(
      blocks: Array(blocks[range.lowerBound - first..<range.upperBound - first]), first: range.lowerBound, frequencies: frequencies,
      compute: compute)
  }

  /// The same blocks but for the one at `index`, counted from the first of this stack.
  package func replacing(block index: Int, by block: Block) -> BlockStack {
    var blocks = blocks
    blocks[index] = block
    return BlockStack(blocks: blocks, first: first, frequencies: frequencies, compute: compute)
  }

  /// The same blocks with their matrices rounded to bf16.
  package func narrowed() -> BlockStack {
    BlockStack(blocks: blocks.map { $0.narrowed(compute) }, first: first, frequencies: frequencies, compute: compute)
  }

  package func emptyCache() -> SequenceCache { SequenceCache(blocks: blocks.count) }

  /// Runs all blocks over a packed batch and extends the caches by its keys and values.
  /// - Parameters:
  ///   - x: input states [B, C].
  ///   - batch: rows of each sequence; `batch.pasts[i]` must equal `caches[i].length` (for a stack with blocks).
  ///   - caches: one per sequence.
  /// - Returns: output states [B, C].
  package func forward(_ x: Matrix, _ batch: PackedBatch, caches: inout [SequenceCache], probe: ActivationProbe? = nil) -> Matrix {
    precondition(x.rows == batch.rows && caches.count == batch.sequences, "\(x.rows) rows, \(caches.count) caches for \(batch)")
    guard !blocks.isEmpty, x.rows > 0 else { return x }
    let rotary = RotaryTable(positions: batch.positions, frequencies: frequencies)
    var x = x
    for (i, block) in blocks.enumerated() {
      probe?.offer(.init(block: first + i, tensor: .input), x)
      let (q, k, v) = block.project(x, rotary: rotary, compute)
      let attended = attend(block, i, q, k, v, batch, &caches, probe)
      if let probe {
        probe.offer(.init(block: first + i, tensor: .query), q)
        probe.offer(.init(block: first + i, tensor: .key), k)
        probe.offer(.init(block: first + i, tensor: .value), v)
        probe.offer(.init(block: first + i, tensor: .attended), attended)
      }
      block.finish(&x, attended: attended, compute)
      probe?.offer(.init(block: first + i, tensor: .output), x)
    }
    return x
  }

  /// Appends K and V to the caches and attends over them, sequence by sequence; [B, H·D].
  private func attend(
    _ block: Block, _ i: Int, _ q: Matrix, _ k: Matrix, _ v: Matrix, _ batch: PackedBatch, _ caches: inout [SequenceCache],
    _ probe: ActivationProbe?
  ) -> Matrix {
    let decoding = batch.rows == batch.sequences && probe == nil
    var attended =
      decoding
      ? compute.attendRows(
        q, ownKeys: k, ownValues: v, prefixOf: Array(0..<batch.sequences), prefixes: caches.map { $0.blocks[i] }, shape: block.shape)
      : Matrix(rows: q.rows, columns: q.columns)
    for s in 0..<batch.sequences {
      let rows = batch.range(s)
      precondition(
        caches[s].blocks[i].length == batch.pasts[s], "cache of \(caches[s].blocks[i].length) positions, batch after \(batch.pasts[s])")
      let width = block.shape.keyWidth
      let flat = rows.lowerBound * width..<rows.upperBound * width
      caches[s].append(block: i, keys: k.values[flat], values: v.values[flat], rows: rows.count)
      if decoding { continue }
      let stored = caches[s].blocks[i]
      let point = ActivationPoint(block: first + i, tensor: .map, sequence: s)
      if let probe, probe.wants(point) {
        var maps: [Float] = []
        compute.attend(
          q, rows: rows, keys: stored.keys, values: stored.values, past: batch.pasts[s], shape: block.shape, into: &attended, maps: &maps)
        probe.record(point, Matrix(rows: block.shape.heads * rows.count, columns: batch.pasts[s] + rows.count, values: maps))
      } else {
        compute.attend(q, rows: rows, keys: stored.keys, values: stored.values, past: batch.pasts[s], shape: block.shape, into: &attended)
      }
    }
    return attended
  }
}
