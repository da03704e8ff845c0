import Audit
import Kernels
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
  private let unigram: Unigram
  private let excluded: [Int32]

  init(_ means: AttackerMeans) {
    (model, unigram, excluded) = (means.model, Unigram.of(means), means.excluded.sorted())
  }

  /// The empty prefix.
  func start() -> Branch { Branch(cache: model.emptyCache(), next: unigram.logProbabilities) }

  /// [V] ln q of the next token of `branch`.
  func logProbabilities(of branch: Branch) -> [Float] { branch.next }

  /// The branches after one more token each, computed in one batch.
  func advance(_ steps: [(branch: Branch, token: Int32)]) -> [Branch] {
    guard !steps.isEmpty else { return [] }
    var caches = steps.map(\.branch.cache)
    let batch = PackedBatch(lengths: steps.map { _ in 1 }, pasts: caches.map(\.length))
    var logits = model.head.logits(model.states(steps.map(\.token), batch, caches: &caches))
    for row in 0..<logits.rows {
      for token in excluded { logits[row, Int(token)] = -30 + logits[row, Int(token)] }
    }
    let normalisers = model.compute.logSumExp(logits)
    return steps.indices.map { row in
      let normaliser = normalisers[row]
      return Branch(cache: caches[row], next: logits[row: row].map { $0 - normaliser })
    }
  }
}
