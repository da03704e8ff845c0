package import Audit
package import Kernels
import Llama

/// q(v | prefix): the public model as prior over the next token, for many hypotheses at once. The first token of a document has the unigram
/// prior of public text, because there is no prefix to condition on.
struct LanguagePrior {
  /// One hypothesis: its cache and the log-probabilities of its next token.
  struct Branch {
    fileprivate var cache: SequenceCache
    fileprivate var next: [Float]
  }

  private let model: LlamaModel
  private let means: AttackerMeans

  init(_ means: AttackerMeans) { (model, self.means) = (means.model, means) }

  /// The empty prefix.
  func start() -> Branch { Branch(cache: model.emptyCache(), next: Unigram.of(means).logProbabilities) }

  /// The prefix `tokens`, read in one batch.
  func after(_ tokens: [Int32]) -> Branch {
    guard !tokens.isEmpty else { return start() }
    var caches = [model.emptyCache()]
    let states = model.states(tokens, PackedBatch(lengths: [tokens.count]), caches: &caches)
    let last = means.textLogProbabilities(model.head.logits(states.slice(tokens.count - 1..<tokens.count)))
    return Branch(cache: caches[0], next: last.values)
  }

  /// [V] ln q of the next token of `branch`.
  func logProbabilities(of branch: Branch) -> [Float] { branch.next }

  /// The branches after one more token each, computed in one batch.
  func advance(_ steps: [(branch: Branch, token: Int32)]) -> [Branch] {
    guard !steps.isEmpty else { return [] }
    var caches = steps.map(\.branch.cache)
    let batch = PackedBatch(lengths: steps.map { _ in 1 }, pasts: caches.map(\.length))
    let next = means.textLogProbabilities(model.head.logits(model.states(steps.map(\.token), batch, caches: &caches)))
    return steps.indices.map { Branch(cache: caches[$0], next: Array(next[row: $0])) }
  }
}

extension AttackerMeans {
  /// ln q of text: of the head's logits [N, V], control tokens e³⁰ times less likely than the model has them, because text holds none.
  package func textLogProbabilities(_ logits: Matrix) -> Matrix {
    var out = logits
    for row in 0..<out.rows { for token in excluded { out[row, Int(token)] -= 30 } }
    for (row, normaliser) in model.compute.logSumExp(out).enumerated() {
      for i in row * out.columns..<(row + 1) * out.columns { out.values[i] -= normaliser }
    }
    return out
  }
}
