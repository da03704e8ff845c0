import Llama
package import Audit
import Checkpoints
import Foundation

/// Token frequencies of public text, smoothed by adding one half to every count (Jeffreys): the prior of a document's first token.
package struct Unigram: Sendable {
  /// [V] natural logarithms.
  package let logProbabilities: [Float]
  /// Token ids by falling probability.
  let ranked: [Int32]

  /// The table for the public text at hand, made once per run.
  package static func of(_ means: AttackerMeans) -> Unigram {
    means.memory.table("unigram") {
      var counts = [Double](repeating: 0.5, count: means.model.configuration.vocabularySize)
      for token in means.auxiliary.joined() { counts[Int(token)] += 1 }
      for token in means.excluded { counts[Int(token)] = 1e-6 }
      let total = counts.reduce(0, +)
      let ranked = counts.indices.sorted { counts[$0] == counts[$1] ? $0 < $1 : counts[$0] > counts[$1] }
      return Unigram(logProbabilities: counts.map { Float(log($0 / total)) }, ranked: ranked.map(Int32.init))
    }
  }
}
