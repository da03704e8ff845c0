package import Kernels

/// Keys and values of one sequence in a run of blocks. A value: a copy is a branch (beams share what they have in common until they write).
package struct SequenceCache: Sendable {
  /// One prefix per block of the stack it belongs to.
  package var blocks: [KeyValuePrefix]

  /// An empty cache for `blocks` blocks.
  package init(blocks: Int) {
    self.blocks = [KeyValuePrefix](repeating: KeyValuePrefix(), count: blocks)
  }

  /// Positions held (of its first block; all blocks agree between forward passes), or 0 for a stack without blocks.
  package var length: Int { blocks.first?.length ?? 0 }

  /// Appends rows of K and V [T, G·D] to block `index`.
  mutating func append(block index: Int, keys: ArraySlice<Float>, values: ArraySlice<Float>, rows: Int) {
    blocks[index].keys.append(contentsOf: keys)
    blocks[index].values.append(contentsOf: values)
    blocks[index].length += rows
  }
}
