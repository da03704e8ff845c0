import Kernels

extension TrainableStack {
  /// Blocks as they run in inference, for gradients through them: adapters that they carry count as they do there.
  /// - Parameter ofQueries: also give ∂L/∂W_Q of every block, in `weights[.query]` of its gradients.
  /// - Precondition: blocks that carry adapters carry them at one rank and scale.
  package init(running stack: BlockStack, ofQueries: Bool = false) {
    let carried = stack.blocks.compactMap(\.adapters)
    let rank = carried.flatMap { $0.pairs.values.map(\.rank) }.first ?? 1
    let scale = stack.blocks.first { $0.adapters != nil }?.adapterScale ?? 1
    precondition(
      stack.blocks.allSatisfy { $0.adapters == nil || $0.adapterScale == scale }, "blocks with adapters of several scales")
    let adapters = stack.blocks.map { block in
      var own = BlockAdapters(block.adapters?.pairs ?? [:])
      if ofQueries {
        let query = block[.query]
        own.weights[.query] = Matrix(rows: query.rows, columns: query.columns, values: query.values(stack.compute))
      }
      return own
    }
    self.init(stack, AdapterSettings(targets: [], rank: rank, alpha: scale * Float(rank)), adapters: adapters)
  }
}
