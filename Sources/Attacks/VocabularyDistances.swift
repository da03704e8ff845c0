import Checkpoints
package import Kernels
package import Llama

/// Distances from one observed state to that of every token of the vocabulary after one prefix: the exhaustive step of vocabulary matching.
package struct VocabularyDistances: Sendable {
  private let model: LlamaModel
  private let stack: BlockStack

  package init(_ model: LlamaModel, inputBlocks: Int) {
    (self.model, stack) = (model, model.stack[0..<inputBlocks])
  }

  /// ‖F_p(prefix, v) − y‖² for every token v, [V], each computed in full: V forwards of one token.
  /// - Parameter target: y, [1, C].
  package func squaredDistances(after prefix: SequenceCache, to target: Matrix) -> [Float] {
    var distances: [Float] = []
    let vocabulary = model.configuration.vocabularySize
    distances.reserveCapacity(vocabulary)
    for start in stride(from: 0, to: vocabulary, by: Codebook.batch) {
      let ids = (start..<min(start + Codebook.batch, vocabulary)).map(Int32.init)
      distances += exact(ids, prefix, target)
    }
    return distances
  }

  private func exact(_ ids: [Int32], _ prefix: SequenceCache, _ target: Matrix) -> [Float] {
    let rows = [Int](repeating: 0, count: ids.count)
    let states = stack.candidates(model.embedding.gather(ids), prefixOf: rows, caches: [prefix])
    return model.compute.squaredDistances(states, to: target, target: rows.map(Int32.init))
  }
}
