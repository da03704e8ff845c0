import Audit
import Foundation
import Kernels
import Llama
import SplitLearning

/// From vectors to tokens, left to right: the candidates at a position are the tokens whose embeddings point most nearly the way of its vector and the
/// likeliest continuations of what is decoded so far; the one whose state fits the observation best is taken (PIA's calibrated discretisation).
///
///     argmax_v ln p(y_t | F_p(prefix, v)_t) + λ ln q(v | prefix)
///
/// If none fits as well as the truth would, the lists grow fourfold, up to four times: a position whose vector is far off is found all the same.
/// Under noise wrong tokens fit too, and vectors point less well, so that lists grow twice in any case.
struct CalibratedDiscretisation {
  static let posteriorWidth = 16
  /// Mass left to tokens that were no candidates.
  private static let rest = 1e-3
  private static let growth = 4
  private static let rounds = 5
  private static let roundsUnderNoise = 3

  struct Document {
    var tokens: [Int32] = []
    var posteriors: [TokenPosterior] = []
  }

  /// Neighbours of each vector in the first round.
  let neighbours: Int
  /// Tokens from the prior in the first round; with none the language model is not run.
  let priorCandidates: Int
  let priorWeight: Float

  private struct State {
    var document = Document()
    var cache: SequenceCache
    var prior: LanguagePrior.Branch?
  }

  private struct Scored {
    var token: Int32
    var score: Float
    var fits: Bool
  }

  /// - Parameter vectors: X of the chunk's rows, [N, C].
  /// - Returns: one document each, and how many candidates went through the blocks.
  func decode(
    _ vectors: Matrix, _ chunk: InversionChunk, _ means: AttackerMeans, progress: (Double) throws -> Void
  ) throws -> (documents: [Document], forwards: Int) {
    let (stack, compute) = (means.model.stack[0..<chunk.inputBlocks], means.model.compute)
    let prior = priorCandidates > 0 ? LanguagePrior(means) : nil
    let likelihood = CandidateLikelihood(noise: chunk.noise, sigma: Float(chunk.sigma))
    let target = likelihood.target(chunk.observed)
    let least = chunk.sigma > 0 ? Self.roundsUnderNoise : 1
    let near = EmbeddingNeighbours.of(means)
    var states = (0..<chunk.batch.sequences).map { _ in State(cache: stack.emptyCache(), prior: prior?.start()) }
    let longest = (0..<chunk.batch.sequences).map { chunk.batch.range($0).count }.max() ?? 0
    var forwards = 0
    for t in 0..<longest {
      let active = states.indices.filter { chunk.batch.range($0).count > t }
      let rows = active.map { chunk.batch.range($0).lowerBound + t }
      let logPriors = active.map { i in states[i].prior.flatMap { prior?.logProbabilities(of: $0) } }
      var scored = active.map { _ in [Scored]() }
      for round in 0..<Self.rounds {
        let open = active.indices.filter { k in round < least || !(scored[k].max { $0.score < $1.score }?.fits ?? false) }
        guard !open.isEmpty else { break }
        let size = Int(pow(Double(Self.growth), Double(round)))
        let lists = near.nearest(compute.gather(vectors, rows: open.map { rows[$0] }[...]), count: neighbours * size)
        var work: [(slot: Int, token: Int32)] = []
        for (k, list) in zip(open, lists) {
          let known = Set(scored[k].map(\.token))
          var fresh = Set(list)
          if let logPrior = logPriors[k] { fresh.formUnion(largest(priorCandidates * size, of: logPrior)) }
          work += fresh.subtracting(known).sorted().map { (k, $0) }
        }
        for start in stride(from: 0, to: work.count, by: Codebook.batch) {
          let batch = work[start..<min(start + Codebook.batch, work.count)]
          let found = stack.candidates(
            means.model.embedding.gather(batch.map(\.token)), prefixOf: batch.map(\.slot), caches: active.map { states[$0].cache })
          let distances = likelihood.distances(
            likelihood.compared(found, compute), target, rows: batch.map { Int32(rows[$0.slot]) }, isFirst: t == 0, compute)
          for ((slot, token), distance) in zip(batch, distances) {
            let scale = likelihood.scale(target, row: rows[slot], isFirst: t == 0, best: 0)
            let bonus = priorWeight * (logPriors[slot]?[Int(token)] ?? 0)
            scored[slot].append(Scored(token: token, score: bonus - scale.weight * distance, fits: distance <= scale.limit))
          }
        }
        forwards += work.count
      }
      for (k, i) in active.enumerated() { append(scored[k], to: &states[i].document) }
      advance(&states, active.filter { chunk.batch.range($0).count > t + 1 }, at: t, stack, prior, means.model)
      try progress(Double(t + 1) / Double(longest))
    }
    return (states.map(\.document), forwards)
  }

  private func append(_ scored: [Scored], to document: inout Document) {
    let ranked = scored.sorted { $0.score == $1.score ? $0.token < $1.token : $0.score > $1.score }
    let total = ranked.reduce(0.0) { $0 + exp(Double($1.score - ranked[0].score)) }
    let listed = ranked.prefix(Self.posteriorWidth)
    let shares = listed.map { exp(Double($0.score - ranked[0].score)) / total * (1 - Self.rest) }
    document.tokens.append(ranked[0].token)
    var posterior = TokenPosterior(width: Self.posteriorWidth)
    posterior.append(
      ids: listed.map(\.token), logProbabilities: shares.map { Float(log(max(1e-300, $0))) },
      rest: Float(log(max(Self.rest, 1 - shares.reduce(0, +)))))
    document.posteriors.append(posterior)
  }

  /// Puts the last tokens of the documents `going` into their caches.
  private func advance(
    _ states: inout [State], _ going: [Int], at t: Int, _ stack: BlockStack, _ prior: LanguagePrior?, _ model: LlamaModel
  ) {
    guard !going.isEmpty else { return }
    let tokens = going.map { states[$0].document.tokens.last! }
    var caches = going.map { states[$0].cache }
    _ = stack.forward(
      model.embedding.gather(tokens), PackedBatch(lengths: going.map { _ in 1 }, pasts: going.map { _ in t }), caches: &caches)
    let branches = prior?.advance(zip(going, tokens).map { (states[$0].prior!, $1) })
    for (k, i) in going.enumerated() {
      states[i].cache = caches[k]
      if let branches { states[i].prior = branches[k] }
    }
  }
}
