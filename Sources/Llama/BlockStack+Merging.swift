import Kernels

extension BlockStack {
  /// The same blocks with what their adapters add folded into the matrices: W + s · B A. For work that asks a block for its plain matrices.
  package func merged() -> BlockStack {
    var out = self
    for (i, block) in blocks.enumerated() {
      guard let pairs = block.adapters?.pairs, !pairs.isEmpty else { continue }
      var weights: [AdapterTarget: Weight] = [:]
      for (target, pair) in pairs {
        let plain = block[target]
        var matrix = Matrix(rows: plain.rows, columns: plain.columns, values: plain.values(compute))
        compute.product(pair.b, pair.a, alpha: block.adapterScale, beta: 1, into: &matrix)
        weights[target] = Weight(rows: matrix.rows, columns: matrix.columns, values: matrix.values)
      }
      out = out.replacing(block: i, by: block.replacing(weights).adapted(by: BlockAdapters([:]), scale: 0))
    }
    return out
  }
}
