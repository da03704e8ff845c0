import Audit
import Foundation
import Checkpoints
import Kernels
import Llama
import SplitLearning

/// The decoding loop of sequential matching over a group of documents, in step: position t of all of them, then t + 1.
struct SequentialDecoder {
  static let posteriorWidth = 16
  /// Least mass left to tokens that were not listed: the decoder may be wrong about its prefix.
  private static let leastRest = 1e-3
  /// Candidates evaluated in the first, second, … round of a position; the last one repeats.
  private static let rounds = [8, 24, 96, 384, 1536, 6144]

  struct Document {
    var tokens: [Int32]
    var posteriors: [TokenPosterior]
  }

  /// A partial reconstruction of one document.
  private struct Hypothesis {
    var document: Int
    var tokens: [Int32] = []
    var posteriors: [TokenPosterior] = []
    var score: Float = 0
    var cache: SequenceCache
    var prior: LanguagePrior.Branch
  }

  /// What one position of one hypothesis has come to.
  private struct Search {
    /// λ ln q [V], and ln q + ln anchor likelihood [V] which orders the candidates.
    var prior: [Float]
    var proposal: [Float]
    /// ln Σ exp(proposal): what all tokens together are expected to weigh.
    var proposalMass: Float
    var order: [Int32] = []
    var evaluated: [(token: Int32, squaredDistance: Float, score: Float)] = []
    var settled = false

    var best: Float { evaluated.reduce(-.infinity) { max($0, $1.score) } }
  }

  private let settings: SequentialMatching
  private let observed: Matrix
  private let ranges: [Range<Int>]
  private let model: LlamaModel
  private let stack: BlockStack
  private let anchors: (table: AnchorTable, later: AnchorScorer)?
  private let noise: NoiseStatement
  private let prior: LanguagePrior
  private let vocabulary: VocabularyDistances
  private(set) var forwards = 0

  init(_ settings: SequentialMatching, _ observation: Observation, _ ranges: [Range<Int>], _ inputBlocks: Int, _ means: AttackerMeans) {
    (self.settings, self.ranges, model) = (settings, ranges, means.model)
    (observed, noise) = (observation.values, observation.noise)
    stack = means.model.stack[0..<inputBlocks]
    let compute = means.model.compute
    anchors =
      settings.candidates != .proposals
      ? nil
      : {
        let table = AnchorTable.at(inputBlocks, means)
        return (table, table.scorer(isFirst: false, sigma: observation.noise.sigma ?? 0, compute))
      }()
    prior = LanguagePrior(means)
    vocabulary = VocabularyDistances(means, inputBlocks: inputBlocks, clip: observation.noise.clip.map(Float.init))
  }

  mutating func decode(_ progress: (Double) throws -> Void) throws -> [Document] {
    var beams = ranges.indices.map { [Hypothesis(document: $0, cache: stack.emptyCache(), prior: prior.start())] }
    let longest = ranges.map(\.count).max() ?? 0
    for t in 0..<longest {
      let active = beams.indices.filter { ranges[$0].count > t }
      var hypotheses = active.flatMap { beams[$0] }
      let searches = search(hypotheses, at: t)
      hypotheses = extended(hypotheses, searches, at: t)
      for document in active { beams[document] = hypotheses.filter { $0.document == document } }
      try progress(Double(t + 1) / Double(longest))
    }
    return beams.map { beam in
      let best = beam.max { $0.score < $1.score }!
      return Document(tokens: best.tokens, posteriors: best.posteriors)
    }
  }

  // MARK: - One position

  /// Evaluates candidates of every hypothesis, in rounds, until each search is settled.
  private mutating func search(_ hypotheses: [Hypothesis], at t: Int) -> [Search] {
    var searches = proposals(hypotheses, at: t)
    let targets = hypotheses.map { Int32(ranges[$0.document].lowerBound + t) }
    let limit = min(settings.maxCandidates, model.configuration.vocabularySize)
    if settings.candidates == .exhaustive && limit == model.configuration.vocabularySize {
      for i in searches.indices { exhaust(&searches[i], hypotheses[i], Int(targets[i])) }
      return searches
    }
    var round = 0
    while searches.contains(where: { !$0.settled }) {
      let size = settings.candidates == .exhaustive ? limit : Self.rounds[min(round, Self.rounds.count - 1)]
      var rows: [(hypothesis: Int, token: Int32)] = []
      for i in searches.indices where !searches[i].settled {
        let done = searches[i].evaluated.count
        let wanted = min(limit, done + size)
        if searches[i].order.count < wanted { searches[i].order = largest(wanted, of: searches[i].proposal) }
        rows += searches[i].order[done..<wanted].map { (i, $0) }
      }
      evaluate(rows, hypotheses, targets, &searches)
      for i in searches.indices where !searches[i].settled {
        searches[i].settled = searches[i].evaluated.count >= limit || isSettled(searches[i], row: Int(targets[i]))
      }
      round += 1
    }
    return searches
  }

  /// Evaluates the whole vocabulary after one hypothesis.
  private mutating func exhaust(_ search: inout Search, _ hypothesis: Hypothesis, _ row: Int) {
    let contenders = vocabulary.contenders(
      after: hypothesis.cache, to: observed.slice(row..<row + 1), sigma: deviation(row), prior: search.prior)
    search.evaluated = contenders.map { ($0.token, $0.squaredDistance, $0.score) }
    search.settled = true
    forwards += model.configuration.vocabularySize
  }

  /// The order in which candidates will be tried.
  private func proposals(_ hypotheses: [Hypothesis], at t: Int) -> [Search] {
    var likelihoods: Matrix? = nil
    if let anchors {
      var y = Matrix(rows: hypotheses.count, columns: observed.columns)
      for (i, hypothesis) in hypotheses.enumerated() { y[row: i] = observed[row: ranges[hypothesis.document].lowerBound + t] }
      let floor = hypotheses.map { deviation(ranges[$0.document].lowerBound + t) }.max() ?? 0
      let scorer = t == 0 ? anchors.table.scorer(isFirst: true, sigma: Double(floor), model.compute) : anchors.later
      likelihoods = scorer.logLikelihoods(y, model.compute)
    }
    return hypotheses.enumerated().map { i, hypothesis in
      let logPrior = prior.logProbabilities(of: hypothesis.prior)
      let weighted = settings.priorWeight == 1 ? logPrior : logPrior.map { $0 * settings.priorWeight }
      var proposal = Matrix(rows: 1, columns: weighted.count, values: weighted)
      if let likelihoods { model.compute.add(&proposal, likelihoods.slice(i..<i + 1)) }
      return Search(prior: weighted, proposal: proposal.values, proposalMass: model.compute.logSumExp(proposal)[0])
    }
  }

  /// Runs candidate rows through the client's blocks, in batches, and files their scores.
  private mutating func evaluate(
    _ rows: [(hypothesis: Int, token: Int32)], _ hypotheses: [Hypothesis], _ targets: [Int32], _ searches: inout [Search]
  ) {
    let caches = hypotheses.map(\.cache)
    for start in stride(from: 0, to: rows.count, by: Codebook.batch) {
      let batch = rows[start..<min(start + Codebook.batch, rows.count)]
      var states = stack.candidates(model.embedding.gather(batch.map(\.token)), prefixOf: batch.map(\.hypothesis), caches: caches)
      if let clip = noise.clip { model.compute.clipRows(&states, bound: Float(clip)) }
      let distances = model.compute.squaredDistances(states, to: observed, target: batch.map { targets[$0.hypothesis] })
      for ((i, token), distance) in zip(batch, distances) {
        let spread = deviation(Int(targets[i]))
        let score = -distance / (2 * spread * spread) + searches[i].prior[Int(token)]
        searches[i].evaluated.append((token, distance, score))
      }
    }
    forwards += rows.count
  }

  /// σ of the likelihood at an observed row: the noise, and at least a thousandth of the state's RMS (storage and rounding).
  private func deviation(_ row: Int) -> Float {
    let y = observed[row: row]
    let rms = (y.reduce(0) { $0 + $1 * $1 } / Float(y.count)).squareRoot()
    return max(Float(noise.sigma ?? 0), rms * 1e-3, 1e-12)
  }

  /// True when the best candidate fits as well as the truth would, and what was not evaluated is expected to hold under 0.1 % of the mass.
  private func isSettled(_ search: Search, row: Int) -> Bool {
    guard settings.candidates != .exhaustive else { return false }
    let spread = deviation(row)
    let width = Float(observed.columns)
    let best = search.evaluated.max { $0.score < $1.score }!
    guard best.squaredDistance <= spread * spread * (width + 6 * (2 * width).squareRoot()) else { return false }
    return restMass(search) < Self.leastRest
  }

  /// Expected share of the posterior held by candidates that were not evaluated. With anchors: their proposal mass, rescaled by what the
  /// evaluated ones turned out to weigh. Without: their prior mass, each as likely as the runner-up.
  private func restMass(_ search: Search) -> Double {
    guard settings.candidates != .exhaustive else { return 0 }
    let best = search.best
    let evaluatedScore = search.evaluated.reduce(0.0) { $0 + exp(Double($1.score - best)) }
    let evaluatedProposal = search.evaluated.reduce(0.0) { $0 + exp(Double(search.proposal[Int($1.token)] - search.proposalMass)) }
    let missing = max(0, 1 - evaluatedProposal)
    guard anchors == nil else { return missing }
    let fits = search.evaluated.map { $0.score - search.prior[Int($0.token)] }.sorted(by: >)
    guard fits.count > 1 else { return 1 }
    let rest = missing * exp(Double(fits[1] - best))
    return rest / (rest + evaluatedScore)
  }

  // MARK: - From searches to the next hypotheses

  /// The best `beam` continuations of every document, with their caches and priors advanced in one batch.
  private mutating func extended(_ hypotheses: [Hypothesis], _ searches: [Search], at t: Int) -> [Hypothesis] {
    var chosen: [(parent: Int, token: Int32, score: Float)] = []
    for document in Set(hypotheses.map(\.document)).sorted() {
      var options: [(parent: Int, token: Int32, score: Float)] = []
      for i in hypotheses.indices where hypotheses[i].document == document {
        let best = searches[i].evaluated.sorted { $0.score == $1.score ? $0.token < $1.token : $0.score > $1.score }.prefix(settings.beam)
        options += best.map { (i, $0.token, hypotheses[i].score + $0.score) }
      }
      chosen += options.sorted { $0.score > $1.score }.prefix(settings.beam)
    }
    let posteriors = searches.map(posterior)
    var next = chosen.map { choice in
      var child = hypotheses[choice.parent]
      child.tokens.append(choice.token)
      child.posteriors.append(posteriors[choice.parent])
      child.score = choice.score
      return child
    }
    advance(&next, at: t)
    return next
  }

  /// Puts the chosen tokens into the caches of those hypotheses whose document goes on.
  private mutating func advance(_ next: inout [Hypothesis], at t: Int) {
    let going = next.indices.filter { ranges[next[$0].document].count > t + 1 }
    guard !going.isEmpty else { return }
    let tokens = going.map { next[$0].tokens.last! }
    var caches = going.map { next[$0].cache }
    let batch = PackedBatch(lengths: going.map { _ in 1 }, pasts: going.map { _ in t })
    _ = stack.forward(model.embedding.gather(tokens), batch, caches: &caches)
    let priors = prior.advance(going.map { (next[$0].prior, next[$0].tokens.last!) })
    for (k, i) in going.enumerated() {
      next[i].cache = caches[k]
      next[i].prior = priors[k]
    }
  }

  /// The posterior of one position given its hypothesis' prefix.
  private func posterior(_ search: Search) -> TokenPosterior {
    let best = search.best
    let rest = max(Self.leastRest, min(0.5, restMass(search)))
    let total = search.evaluated.reduce(0.0) { $0 + exp(Double($1.score - best)) }
    let listed = search.evaluated.sorted { $0.score == $1.score ? $0.token < $1.token : $0.score > $1.score }.prefix(Self.posteriorWidth)
    let share = listed.map { exp(Double($0.score - best)) / total }
    let unlisted = max(0, 1 - share.reduce(0, +)) * (1 - rest) + rest
    var result = TokenPosterior(width: Self.posteriorWidth)
    result.append(
      ids: listed.map(\.token), logProbabilities: share.map { Float(log(max(1e-300, $0 * (1 - rest)))) }, rest: Float(log(unlisted)))
    return result
  }
}
