import Attacks
package import Audit
import Kernels
import LeakageMetrics
import Llama
package import PrivateText
import SplitLearning

/// The reference that no attack of one position can beat on average: the posterior mode under the true law of the noise, with the true prefix (an
/// oracle), every token of the vocabulary a candidate, and the language model as prior. It needs the truth, so it is computed here and not by an
/// attack; the record says how far the best attack stays behind it on the same positions.
package enum BayesReference {
  package struct Position: Sendable {
    package var document: Int
    package var position: Int
    package var isHit: Bool
  }

  /// - Parameters:
  ///   - count: positions, drawn at random from all documents; randomness is `means.seed`.
  ///   - means: with the victim's exact weights.
  package static func decisions(
    _ documents: [PrivateDocument], _ view: AdversaryView, count: Int, _ means: AttackerMeans, progress: (Double) throws -> Void
  ) rethrows -> [Position] {
    guard let observation = view.observations[.inputHiddenStates], [.none, .gaussian].contains(observation.noise.law),
      observation.noise.order == nil, observation.noise.clip == nil || observation.noise.clippedNorm == .l2
    else { return [] }
    let model = means.model
    let stack = model.stack[0..<view.partition.input]
    let vocabulary = VocabularyDistances(means, inputBlocks: view.partition.input, clip: observation.noise.clip.map(Float.init))
    let unigram = Unigram.of(means).logProbabilities
    let all = documents.indices.flatMap { d in documents[d].tokens.indices.map { (d, $0) } }
    var draws = CounterRandom(seed: means.seed, stream: "bayes-reference/positions").generator()
    let chosen = Array(all.indices).shuffled(using: &draws).prefix(count).sorted().map { all[$0] }
    var out: [Position] = []
    for (k, (d, t)) in chosen.enumerated() {
      let tokens = documents[d].tokens
      let prefix = Array(tokens[0..<t])
      var caches = [stack.emptyCache()]
      var prior = unigram
      if t > 0 {
        _ = stack.forward(model.embedding.gather(prefix), PackedBatch(lengths: [t]), caches: &caches)
        var whole = model.emptyCache()
        prior = means.textLogProbabilities(model.next(prefix, cache: &whole)).values
      }
      let row = view.offsets[d] + t
      let y = observation.values.slice(row..<row + 1)
      let rms = (y.values.reduce(0) { $0 + $1 * $1 } / Float(y.columns)).squareRoot()
      let sigma = max(Float(observation.noise.sigma ?? 0), rms * 1e-3, 1e-12)
      let contenders = vocabulary.contenders(after: caches[0], to: y, sigma: sigma, prior: prior)
      let best = contenders.max { $0.score == $1.score ? $0.token > $1.token : $0.score < $1.score }
      out.append(Position(document: d, position: t, isHit: best?.token == tokens[t]))
      try progress(Double(k + 1) / Double(chosen.count))
    }
    return out
  }
}
