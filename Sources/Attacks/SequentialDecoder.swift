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
    /// How far `prior` is believed.
    var experts = PriorExperts()
  }

  private let settings: SequentialMatching
  private let observed: Matrix
  private let ranges: [Range<Int>]
  private let model: LlamaModel
  private let stack: BlockStack
  private let anchors: CandidateOrder?
  private let reader: TrainedInverter.Reader?
  private let likelihood: CandidateLikelihood
  private let target: CandidateLikelihood.Target
  private let prior: LanguagePrior
  /// ln u [V].
  private let unigram: [Float]
  private let vocabulary: VocabularyDistances
  private(set) var forwards = 0
  /// Distances per coordinate of the candidates accepted at later positions, for `CandidateLikelihood.profiles`.
  private var accepted: [Float] = []

  /// - Parameters:
  ///   - ranges: rows of `observed` of each document.
  ///   - stack: the client's blocks as the attacker knows them.
  ///   - anchors: at the depth of `stack`; nil tries candidates in the order of the language model.
  ///   - reader: of `observed`, by the inverter of `anchors`.
  init(
    _ settings: SequentialMatching, _ observed: Matrix, _ ranges: [Range<Int>], _ likelihood: CandidateLikelihood, stack: BlockStack,
    anchors: CandidateOrder?, reader: TrainedInverter.Reader? = nil, _ means: AttackerMeans
  ) {
    (self.anchors, self.reader) = (anchors, reader)
    (self.settings, self.ranges, self.likelihood, self.stack, model) = (settings, ranges, likelihood, stack, means.model)
    self.observed = observed
    target = likelihood.target(observed)
    let inputBlocks = stack.blocks.count
    prior = LanguagePrior(means)
    unigram = Unigram.of(means).logProbabilities
    vocabulary = VocabularyDistances(means, inputBlocks: inputBlocks, clip: likelihood.noise.clip.map(Float.init))
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
  private mutating func search(_ hypotheses: [Hypothesis], at t: Int) -> [SequentialSearch] {
    var searches = proposals(hypotheses, at: t)
    let rows = hypotheses.map { ranges[$0.document].lowerBound + t }
    let limit = min(settings.maxCandidates, model.configuration.vocabularySize)
    if settings.candidates == .exhaustive && limit == model.configuration.vocabularySize && likelihood.isPlainGaussian {
      for i in searches.indices { exhaust(&searches[i], hypotheses[i], rows[i], t) }
      return searches
    }
    let typical = typicalDistance
    var round = 0
    while searches.contains(where: { !$0.settled }) {
      let size = settings.candidates == .exhaustive ? limit : Self.rounds[min(round, Self.rounds.count - 1)]
      var batch: [(search: Int, token: Int32)] = []
      for i in searches.indices where !searches[i].settled {
        let done = searches[i].evaluated.count
        let wanted = min(limit, done + max(size, min(searches[i].least, SequentialSearch.firstForeign) - done))
        batch += searches[i].next(wanted - done).map { (i, $0) }
      }
      evaluate(batch, hypotheses, rows, &searches, isFirst: t == 0)
      for i in searches.indices where !searches[i].settled {
        searches[i].weigh(likelihood.scale(target, row: rows[i], isFirst: t == 0, best: searches[i].smallest, typical: typical))
        searches[i].settled =
          searches[i].evaluated.count >= limit
          || (settings.candidates != .exhaustive && searches[i].isSettled(share: Self.leastRest))
      }
      if t > 0 { refine(&searches, rows) }
      round += 1
    }
    return searches
  }

  /// Ranks all tokens anew for the searches that go on.
  private func refine(_ searches: inout [SequentialSearch], _ rows: [Int]) {
    guard let anchors else { return }
    let open = searches.indices.filter { !searches[$0].settled && !searches[$0].residuals.isEmpty }
    for start in stride(from: 0, to: open.count, by: ScoreTable.batch) {
      let part = open[start..<min(start + ScoreTable.batch, open.count)]
      var y = Matrix(rows: part.count, columns: observed.columns)
      for (k, i) in part.enumerated() {
        let residuals = searches[i].residuals
        for c in 0..<y.columns {
          let mean = residuals.reduce(0) { $0 + $1.values[c] } / Float(residuals.count)
          y[k, c] = observed[rows[i], c] - mean + anchors.table.bias[c]
        }
      }
      let scores = anchors.later.logLikelihoods(y, model.compute)
      for (k, i) in part.enumerated() { searches[i].refined = zip(scores[row: k], searches[i].prior).map { $0 + $1 } }
    }
  }

  /// Median distance per coordinate of what was accepted at earlier positions.
  private var typicalDistance: Float? { accepted.isEmpty ? nil : accepted.sorted()[accepted.count / 2] }

  /// Evaluates the whole vocabulary after one hypothesis.
  private mutating func exhaust(_ search: inout SequentialSearch, _ hypothesis: Hypothesis, _ row: Int, _ t: Int) {
    let scale = likelihood.scale(target, row: row, isFirst: t == 0, best: .infinity)
    let contenders = vocabulary.contenders(
      after: hypothesis.cache, to: observed.slice(row..<row + 1), sigma: scale.deviation, prior: search.prior)
    search.add(contenders.map { ($0.token, $0.squaredDistance) })
    search.weigh(scale)
    search.settled = true
    forwards += model.configuration.vocabularySize
  }

  /// The order in which candidates will be tried.
  private func proposals(_ hypotheses: [Hypothesis], at t: Int) -> [SequentialSearch] {
    var likelihoods: Matrix? = nil
    if let reader, t > 0 {
      likelihoods = reader.evidence(hypotheses.map { ranges[$0.document].lowerBound + t }, model.compute)
    } else if let anchors {
      var y = Matrix(rows: hypotheses.count, columns: observed.columns)
      for (i, hypothesis) in hypotheses.enumerated() { y[row: i] = observed[row: ranges[hypothesis.document].lowerBound + t] }
      var scorer = anchors.later
      if let typical = typicalDistance, likelihood.profiles, likelihood.correction == nil, t > 0 {
        // Foreign weights put the state off its anchor by more than the noise does.
        let sigma = max(likelihood.proposalSigma, Double(typical).squareRoot())
        scorer = anchors.table.scorer(isFirst: false, sigma: sigma, model.compute)
      } else if t == 0 {
        let floor =
          hypotheses.map { hypothesis -> Float in
            let row = ranges[hypothesis.document].lowerBound
            return likelihood.scale(target, row: row, isFirst: true, best: 0).deviation
          }.max() ?? 0
        scorer = anchors.table.scorer(isFirst: true, sigma: Double(floor), model.compute)
      }
      likelihoods = scorer.logLikelihoods(y, model.compute)
    }
    let least = !likelihood.profiles ? 0 : typicalDistance == nil ? settings.leastAtFirst : settings.leastLater
    return hypotheses.enumerated().map { i, hypothesis in
      let logPrior = believed(hypothesis)
      let weighted = settings.priorWeight == 1 ? logPrior : logPrior.map { $0 * settings.priorWeight }
      var proposal = Matrix(rows: 1, columns: weighted.count, values: weighted)
      if let likelihoods { model.compute.add(&proposal, likelihoods.slice(i..<i + 1)) }
      return SequentialSearch(
        prior: weighted, proposal: proposal.values, proposalMass: model.compute.logSumExp(proposal)[0], isInformed: likelihoods != nil,
        least: min(least, weighted.count))
    }
  }

  /// ln of the prior of the next token, [V].
  private func believed(_ hypothesis: Hypothesis) -> [Float] {
    let language = prior.logProbabilities(of: hypothesis.prior)
    return settings.trust == .full || hypothesis.tokens.isEmpty ? language : hypothesis.experts.mixed(language, unigram)
  }

  /// The experts after the position that `search` is of, judged by the candidates that were tried there.
  private func learned(_ hypothesis: Hypothesis, _ search: SequentialSearch) -> PriorExperts {
    let language = prior.logProbabilities(of: hypothesis.prior)
    func evidence(_ logPrior: [Float]) -> Double {
      search.evaluated.reduce(-.infinity) {
        logAdd($0, Double(logPrior[Int($1.token)]) - Double(search.scale.weight * $1.distance))
      }
    }
    var experts = hypothesis.experts
    experts.learn(language: evidence(language), unigram: evidence(unigram))
    return experts
  }

  /// Runs candidates through the client's blocks, in batches, and files their distances.
  private mutating func evaluate(
    _ candidates: [(search: Int, token: Int32)], _ hypotheses: [Hypothesis], _ rows: [Int], _ searches: inout [SequentialSearch],
    isFirst: Bool
  ) {
    let caches = hypotheses.map(\.cache)
    for start in stride(from: 0, to: candidates.count, by: Codebook.batch) {
      let batch = candidates[start..<min(start + Codebook.batch, candidates.count)]
      let states = stack.candidates(model.embedding.gather(batch.map(\.token)), prefixOf: batch.map(\.search), caches: caches)
      let seen = likelihood.compared(states, model.compute)
      let distances = likelihood.distances(seen, target, rows: batch.map { Int32(rows[$0.search]) }, isFirst: isFirst, model.compute)
      for (k, ((i, token), distance)) in zip(batch, distances).enumerated() {
        searches[i].add([(token, distance)])
        guard !isFirst, let anchors else { continue }
        searches[i].add(residual: zip(seen[row: k], anchors.table.later[row: Int(token)]).map { $0 - $1 }, distance: distance)
      }
    }
    forwards += candidates.count
  }

  // MARK: - From searches to the next hypotheses

  /// The best `beam` continuations of every document, with their caches and priors advanced in one batch.
  private mutating func extended(_ hypotheses: [Hypothesis], _ searches: [SequentialSearch], at t: Int) -> [Hypothesis] {
    var chosen: [(parent: Int, token: Int32, score: Float)] = []
    for document in Set(hypotheses.map(\.document)).sorted() {
      var options: [(parent: Int, token: Int32, score: Float)] = []
      for i in hypotheses.indices where hypotheses[i].document == document {
        options += searches[i].ranked.prefix(settings.beam).map { (i, $0.token, hypotheses[i].score + $0.score) }
      }
      chosen += options.sorted { $0.score > $1.score }.prefix(settings.beam)
    }
    let posteriors = searches.map {
      $0.posterior(width: Self.posteriorWidth, leastRest: Self.leastRest, isExhaustive: settings.candidates == .exhaustive)
    }
    if likelihood.profiles && t > 0 { accepted += searches.map { $0.smallest / Float(observed.columns) } }
    // At first positions there is no prefix to be judged; under full trust nobody asks.
    let learns = t > 0 && settings.trust == .adaptive
    let experts = hypotheses.indices.map { learns ? learned(hypotheses[$0], searches[$0]) : hypotheses[$0].experts }
    var next = chosen.map { choice in
      var child = hypotheses[choice.parent]
      child.tokens.append(choice.token)
      child.posteriors.append(posteriors[choice.parent])
      child.experts = experts[choice.parent]
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
}
