import Audit
import Checkpoints
import Kernels
import Llama

/// Texts whose states after the first block lie in the span of the second block's inputs: the sequence half of DAGER, greedy.
///
/// A state depends on the whole prefix, so a wrong token is out of the span by a margin. What is odd about causal attention: the first position
/// attends to itself only, its softmax is constant, and so it leaves no trace of its own in ∂L/∂W_Q. A text's first token is therefore found
/// together with its second: as a pair that is proposed (`FirstPositions`), or by trying likely first tokens before every token of the bag.
struct SpanSearch {
  /// The first block.
  let block: BlockStack
  let model: LlamaModel
  /// Span of the second block's normalised inputs.
  let span: RowSpace
  /// Norm of the second block.
  let norm: (weight: [Float], epsilon: Float)
  /// Tokens that occur at second and later positions.
  let bag: [Int32]
  let threshold: Float

  /// A text as far as it is known.
  private struct Text {
    var tokens: [Int32]
    var cache: SequenceCache
    /// Largest relative residual of its states.
    var misfit: Float
  }

  private static let rowsAtOnce = 2048

  private func residuals(_ states: Matrix) -> [Float] {
    let compute = model.compute
    return span.residuals(compute.rmsNorm(states, weight: norm.weight, epsilon: norm.epsilon), compute)
  }

  /// Texts that begin with one of `pairs`, or with a token of `firsts` and a second one of the bag, as long as they stay in the span; until one was
  /// found for every document that is as long as the shortest. A wrong beginning that fits by chance ends soon, or runs into a true text and
  /// fits worse: longest texts come first, best ones first among those, without variants of a better one.
  /// - Parameters:
  ///   - lengths: of the documents.
  ///   - progress: called with the share of `firsts` that is done; may throw to stop.
  func texts(
    _ pairs: [(first: Int32, second: Int32)], _ firsts: [Int32], _ lengths: [Int], progress: (Double) throws -> Void
  ) throws -> [[Int32]] {
    var found: [Text] = []
    let (shortest, longest) = (lengths.min() ?? 0, lengths.max() ?? 0)
    func isComplete() -> Bool { Self.distinct(found).count(where: { $0.count + 1 >= shortest }) >= lengths.count }
    let together = max(1, Self.rowsAtOnce / max(1, bag.count))
    for group in stride(from: 0, to: pairs.count, by: together) where !isComplete() {
      for pair in pairs[group..<min(group + together, pairs.count)] { found += texts([pair.first], [pair.second], longest) }
    }
    for group in stride(from: 0, to: firsts.count, by: together) where !isComplete() {
      found += texts(Array(firsts[group..<min(group + together, firsts.count)]), bag, longest)
      try progress(Double(group) / Double(firsts.count))
    }
    return completed(Self.distinct(found), from: found, to: lengths.count, shortest: shortest)
  }

  /// Texts that deserve a place of their own although they are much like another one, as documents made from one template are: where there are fewer texts
  /// than documents, those that fit far better than the threshold asks and differ in more than a tenth of the positions. Texts that are too short for any
  /// document come last.
  private func completed(_ texts: [[Int32]], from found: [Text], to count: Int, shortest: Int) -> [[Int32]] {
    func isLong(_ text: [Int32]) -> Bool { text.count + 1 >= shortest }
    var out = texts.filter(isLong)
    for text in found.sorted(by: { $0.misfit < $1.misfit })
    where out.count < count && text.misfit < 0.1 * threshold && isLong(text.tokens) {
      let isKnown = out.contains { other in
        zip(other, text.tokens).count { $0 == $1 } * 10 >= 9 * min(other.count, text.tokens.count)
      }
      if !isKnown { out.append(text.tokens) }
    }
    return out + texts.filter { !isLong($0) }
  }

  /// Texts that begin with any of `firsts` before any of `seconds`.
  private func texts(_ firsts: [Int32], _ seconds: [Int32], _ longest: Int) -> [Text] {
    let candidates = model.embedding.gather(seconds)
    var caches = firsts.map { _ in block.emptyCache() }
    _ = block.forward(model.embedding.gather(firsts), PackedBatch(lengths: firsts.map { _ in 1 }), caches: &caches)
    let x = Matrix(rows: firsts.count * seconds.count, columns: candidates.columns, values: firsts.flatMap { _ in candidates.values })
    let fits = residuals(block.candidates(x, prefixOf: firsts.indices.flatMap { i in seconds.map { _ in i } }, caches: caches))
    var found: [Text] = []
    for i in firsts.indices {
      for (k, second) in seconds.enumerated() where fits[i * seconds.count + k] < threshold {
        var text = Text(tokens: [firsts[i]], cache: caches[i], misfit: fits[i * seconds.count + k])
        append(second, to: &text)
        extend(&text, most: longest)
        text.cache = SequenceCache(blocks: 0)
        found.append(text)
      }
    }
    return found
  }

  private static func distinct(_ texts: [Text]) -> [[Int32]] {
    let ranked = texts.enumerated().sorted { a, b in
      if a.1.tokens.count != b.1.tokens.count { return a.1.tokens.count > b.1.tokens.count }
      return a.1.misfit == b.1.misfit ? a.0 < b.0 : a.1.misfit < b.1.misfit
    }
    var out: [[Int32]] = []
    for (_, text) in ranked {
      let isVariant = out.contains { other in zip(other, text.tokens).count { $0 == $1 } * 2 > text.tokens.count }
      if !isVariant { out.append(text.tokens) }
    }
    return out
  }

  /// Extends a text by the token that fits best as long as one fits, to at most `most` tokens.
  private func extend(_ text: inout Text, most: Int) {
    let candidates = model.embedding.gather(bag)
    while text.tokens.count < most {
      let fits = residuals(block.candidates(candidates, prefixOf: bag.map { _ in 0 }, caches: [text.cache]))
      guard let best = fits.indices.min(by: { fits[$0] < fits[$1] }), fits[best] < threshold else { return }
      text.misfit = max(text.misfit, fits[best])
      append(bag[best], to: &text)
    }
  }

  private func append(_ token: Int32, to text: inout Text) {
    var caches = [text.cache]
    _ = block.forward(
      model.embedding.gather([token]), PackedBatch(lengths: [1], pasts: [text.cache.length]), caches: &caches)
    text.cache = caches[0]
    text.tokens.append(token)
  }
}
