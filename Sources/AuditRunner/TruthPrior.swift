import Attacks
package import Audit
import Kernels
package import Llama
package import PrivateText

/// How predictable the private text is to the public model: the yardstick of `bits_per_token`.
package enum TruthPrior {
  /// ln q(true token | true prefix) for every position, q being what attacks have for a prior: control tokens next to impossible, the unigram law for
  /// a document's first token.
  /// - Parameter model: the public one, whatever the attacker is granted.
  package static func logProbabilities(_ documents: [PrivateDocument], model: LlamaModel, _ means: AttackerMeans) -> [[Double]] {
    let unigram = Unigram.of(means).logProbabilities
    return documents.map { document in
      guard document.tokens.count > 1 else { return document.tokens.map { Double(unigram[Int($0)]) } }
      let next = means.textLogProbabilities(model.logits([document.tokens]))
      return document.tokens.enumerated().map { t, token in Double(t == 0 ? unigram[Int(token)] : next[t - 1, Int(token)]) }
    }
  }
}
