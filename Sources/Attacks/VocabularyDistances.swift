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

  fileprivate func exact(_ ids: [Int32], _ prefix: SequenceCache, _ target: Matrix) -> [Float] {
    let rows = [Int](repeating: 0, count: ids.count)
    let states = stack.candidates(model.embedding.gather(ids), prefixOf: rows, caches: [prefix])
    return model.compute.squaredDistances(states, to: target, target: rows.map(Int32.init))
  }
}

/// The same behind one block, without running the feed-forward of tokens that cannot win.
///
/// A state is m = z + g(z), z the residual stream after attention. What does not depend on the prefix is tabulated once per model: queries,
/// keys and values of every token, and g₀ = g at the token's state after an empty prefix. For a prefix, z costs attention and one product;
/// m̂ = z + g₀ is off by e = g(z) − g₀. A token with ‖y − m̂‖ − E larger than the best exact distance is not run, where E is `safety` times the
/// largest ‖e‖ of a sample of the vocabulary after this very prefix. So the search is exhaustive up to that bound, which is measured and not
/// proved; `squaredDistances` of `VocabularyDistances` is the one without it.
package struct FirstBlockSearch: Sendable {
  private let plain: VocabularyDistances
  private let model: LlamaModel
  private let block: Block
  private let stack: BlockStack
  private let queries: Matrix
  private let keys: Matrix
  private let values: Matrix
  /// g₀ [V, C].
  private let increments: Matrix
  private let safety: Float

  /// Tabulates 2·C + 960 floats a token for a 135M model; one forward of the vocabulary.
  package init(_ model: LlamaModel, safety: Float = 1.5) {
    (self.model, self.safety) = (model, safety)
    stack = model.stack[0..<1]
    block = stack.blocks[0]
    plain = VocabularyDistances(model, inputBlocks: 1)
    let ids = (0..<model.configuration.vocabularySize).map(Int32.init)
    let embedding = model.embedding.gather(ids)
    let unrotated = RotaryTable(positions: ids.map { _ in 0 }, frequencies: stack.frequencies)
    (queries, keys, values) = block.project(embedding, rotary: unrotated, model.compute)
    let empty = KeyValuePrefix()
    let attended = model.compute.attendRows(
      queries, ownKeys: keys, ownValues: values, prefixOf: ids.map { _ in 0 }, prefixes: [empty], shape: block.shape)
    var z = embedding
    model.compute.add(&z, block.output.apply(attended, model.compute))
    increments = FirstBlockSearch.feedForward(block, z, model.compute)
  }

  /// The token whose state after `prefix` is nearest to y, its squared distance, and how many tokens were run in full.
  /// - Parameter target: y, [1, C].
  package func nearest(after prefix: SequenceCache, to target: Matrix) -> (token: Int32, squaredDistance: Float, evaluated: Int) {
    let vocabulary = model.configuration.vocabularySize
    var (approximate, largestError) = ([Float](), Float(0))
    approximate.reserveCapacity(vocabulary)
    for start in stride(from: 0, to: vocabulary, by: Codebook.batch) {
      let range = start..<min(start + Codebook.batch, vocabulary)
      var z = residual(range, prefix)
      // Every 32nd token of the batch is run in full: how wrong is the tabulated increment after this prefix?
      let sample = stride(from: start % 32, to: range.count, by: 32).map { $0 }
      let sampled = Matrix(rows: sample.count, columns: z.columns, values: sample.flatMap { z[row: $0] })
      let exact = FirstBlockSearch.feedForward(block, sampled, model.compute)
      let tabulated = Matrix(rows: sample.count, columns: z.columns, values: sample.flatMap { increments[row: start + $0] })
      let errors = model.compute.squaredDistances(exact, to: tabulated, target: sample.indices.map(Int32.init))
      largestError = max(largestError, (errors.max() ?? 0).squareRoot())
      model.compute.add(&z, increments.slice(range))
      approximate += model.compute.squaredDistances(z, to: target, target: range.map { _ in 0 })
    }
    return decide(approximate, error: safety * largestError, prefix, target)
  }

  /// Runs candidates in full, most promising first, until the bound excludes the rest.
  private func decide(
    _ approximate: [Float], error: Float, _ prefix: SequenceCache, _ target: Matrix
  ) -> (token: Int32, squaredDistance: Float, evaluated: Int) {
    let order = largest(approximate.count, of: approximate.map { -$0 })
    var (best, token, done, size) = (Float.infinity, Int32(0), 0, 256)
    while done < order.count, approximate[Int(order[done])].squareRoot() - error <= best.squareRoot() {
      let ids = Array(order[done..<min(order.count, done + size)])
      for (id, distance) in zip(ids, plain.exact(ids, prefix, target)) where distance < best { (best, token) = (distance, id) }
      done += ids.count
      size = Codebook.batch
    }
    return (token, best, done)
  }

  /// Residual stream after attention, for tokens `range` as the one after `prefix`.
  private func residual(_ range: Range<Int>, _ prefix: SequenceCache) -> Matrix {
    let rotary = RotaryTable(positions: range.map { _ in prefix.length }, frequencies: stack.frequencies)
    var (q, k) = (queries.slice(range), keys.slice(range))
    model.compute.rotate(&q, heads: block.shape.heads, by: rotary)
    model.compute.rotate(&k, heads: block.shape.groups, by: rotary)
    let attended = model.compute.attendRows(
      q, ownKeys: k, ownValues: values.slice(range), prefixOf: range.map { _ in 0 }, prefixes: [prefix.blocks[0]], shape: block.shape)
    var z = model.embedding.gather(range.map(Int32.init))
    model.compute.add(&z, block.output.apply(attended, model.compute))
    return z
  }

  /// g(z) [B, C].
  private static func feedForward(_ block: Block, _ z: Matrix, _ compute: Compute) -> Matrix {
    var parts: [Float] = []
    parts.reserveCapacity(z.values.count)
    for start in stride(from: 0, to: z.rows, by: Codebook.batch) {
      let rows = z.slice(start..<min(start + Codebook.batch, z.rows))
      let normed = compute.rmsNorm(rows, weight: block.feedForwardNorm, epsilon: block.epsilon)
      var hidden = block.gate.apply(normed, compute)
      compute.swiglu(&hidden, up: block.up.apply(normed, compute))
      parts += block.down.apply(hidden, compute).values
    }
    return Matrix(rows: z.rows, columns: z.columns, values: parts)
  }
}
