import Attacks
package import Audit
import Kernels
import Llama
package import PrivateText

/// How predictable the private text is to the public model: the yardstick of `bits_per_token`.
package enum TruthPrior {
  /// ln q(true token | true prefix) for every position; the first token of a document has the unigram prior, as in the attacks.
  package static func logProbabilities(_ documents: [PrivateDocument], _ means: AttackerMeans) -> [[Double]] {
    let unigram = Unigram.of(means).logProbabilities
    return documents.map { document in
      guard document.tokens.count > 1 else { return document.tokens.map { Double(unigram[Int($0)]) } }
      let logits = means.model.logits([document.tokens])
      let normalisers = means.model.compute.logSumExp(logits)
      return document.tokens.enumerated().map { t, token in
        t == 0 ? Double(unigram[Int(token)]) : Double(logits[t - 1, Int(token)] - normalisers[t - 1])
      }
    }
  }
}
