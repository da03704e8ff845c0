import Audit
import Checkpoints
import Foundation
import Kernels
import Llama

/// Decodes a first document of states in an unknown rotation, from nothing.
///
/// Every state that is decoded adds a direction to the `KnownSpan`, and so an invariant that tells the next candidates apart: at position t there are up
/// to t + 1. The length alone leaves a few tokens at position 0, so hypotheses are kept side by side, each with its own span, until one has a
/// continuation whose fit cannot be an accident. The others then have none: their prefix is wrong.
struct RotationOpening {
  private struct Hypothesis {
    var tokens: [Int32] = []
    /// Log-likelihood and prior of `tokens`, nats.
    var score = 0.0
    var span: KnownSpan
    var cache: SequenceCache
    var prior: LanguagePrior.Branch
  }

  /// Hypotheses kept, and how far behind the best in nats.
  private static let beam = 32
  private static let margin = 20.0
  /// Candidates of a hypothesis in the first, second, … round; the last one repeats.
  private static let rounds = [64, 256, 1024, 4096, 16384]
  /// A fit is no accident when fewer than this many are expected among all tokens that could be tried.
  private static let accidents = 1e-3

  private let settings: SequentialMatching
  private let stack: BlockStack
  private let model: LlamaModel
  private let prior: LanguagePrior
  /// Of plain states; nil tries candidates in the order of the language model.
  private let anchors: AnchorTable?
  private let rounding: Double
  private(set) var forwards = 0

  /// - Parameter rounding: of the states along one direction, over their length.
  init(_ settings: SequentialMatching, rounding: Double, _ stack: BlockStack, _ means: AttackerMeans) {
    (self.settings, self.rounding, self.stack, model) = (settings, rounding, stack, means.model)
    prior = LanguagePrior(means)
    anchors = settings.candidates.isAnchored ? AnchorTable.at(stack.blocks.count, means) : nil
  }

  /// - Parameters:
  ///   - y: the observed states of one document, [T, C], each with a direction.
  ///   - span: what is known beforehand.
  /// - Returns: the whole document, or its beginning as far as candidates fitted; nil when nothing was decoded beyond doubt.
  mutating func decode(_ y: Matrix, knowing span: KnownSpan, _ progress: (Double) throws -> Void) throws -> [Int32]? {
    var hypotheses = [Hypothesis(span: span, cache: stack.emptyCache(), prior: prior.start())]
    var sure: [Int32]?
    for t in 0..<y.rows {
      let row = y.slice(t..<t + 1)
      var options: [(parent: Int, token: Int32, score: Float, total: Double)] = []
      let (searches, unmistakable) = searched(hypotheses, row)
      for (i, search) in searches.enumerated() {
        let density = Self.logDensity(hypotheses[i].span, rounding)
        for option in search.ranked.prefix(Self.beam) where search.distance(of: option.token) <= search.scale.limit {
          options.append((i, option.token, option.score, hypotheses[i].score + Double(option.score) + density))
        }
      }
      // No token fits: the weights are others, or rounding has grown. What was sure before stays.
      guard let best = options.map(\.total).max() else { return sure }
      let kept = options.filter { $0.total > best - Self.margin }.sorted { $0.total > $1.total }.prefix(Self.beam)
      // What cannot be an accident is a continuation of one hypothesis; another may still have the better total.
      if let parent = unmistakable, let child = kept.first(where: { $0.parent == parent }) {
        sure = hypotheses[parent].tokens + [child.token]
      }
      hypotheses = kept.map { option in
        var child = hypotheses[option.parent]
        child.tokens.append(option.token)
        child.score = option.total
        return child
      }
      advance(&hypotheses, row, at: t)
      try progress(Double(t + 1) / Double(y.rows))
    }
    return sure
  }

  /// Runs candidates after every hypothesis until one fits beyond accident, or all tokens were tried.
  /// - Returns: the searches, and the hypothesis with a continuation that is no accident.
  private mutating func searched(_ hypotheses: [Hypothesis], _ row: Matrix) -> ([SequentialSearch], unmistakable: Int?) {
    var searches = hypotheses.map { proposals($0, row) }
    let vocabulary = model.configuration.vocabularySize
    let limit = min(settings.maxCandidates, vocabulary)
    var round = 0
    while true {
      let size = settings.candidates == .exhaustive ? limit : Self.rounds[min(round, Self.rounds.count - 1)]
      let open = searches.indices.filter { searches[$0].evaluated.count < limit }
      let batch = open.flatMap { i in searches[i].next(min(size, limit - searches[i].evaluated.count)).map { (i, $0) } }
      evaluate(batch, hypotheses, row, &searches)
      for i in searches.indices { searches[i].weigh(Self.scale(hypotheses[i].span, rounding)) }
      let accidents = searches.indices.map { searches[$0].accidentalFits(invariants: hypotheses[$0].span.rank + 1, of: vocabulary) }
      let least = accidents.indices.min { accidents[$0] < accidents[$1] }!
      let isSure = accidents[least] * Double(searches.count) < Self.accidents
      if isSure || batch.isEmpty { return (searches, isSure ? least : nil) }
      round += 1
    }
  }

  /// The order in which candidates are tried: by the language model, and by anchors within the known directions.
  private func proposals(_ hypothesis: Hypothesis, _ row: Matrix) -> SequentialSearch {
    let weighted = prior.logProbabilities(of: hypothesis.prior).map { $0 * settings.priorWeight }
    var proposal = Matrix(rows: 1, columns: weighted.count, values: weighted)
    var isInformed = false
    if let anchors, hypothesis.span.rank > 0, !hypothesis.tokens.isEmpty {
      let table = anchors.projected(on: hypothesis.span.directions, model.compute)
      let scorer = table.discriminant(sigma: 0, model.compute) ?? table.scorer(isFirst: false, sigma: 0, model.compute)
      let seen = hypothesis.span.ofObserved.apply(row, model.compute)
      let coordinates = Matrix(rows: 1, columns: hypothesis.span.rank, values: Array(seen.values.dropLast()))
      model.compute.add(&proposal, scorer.logLikelihoods(coordinates, model.compute))
      isInformed = true
    }
    return SequentialSearch(
      prior: weighted, proposal: proposal.values, proposalMass: model.compute.logSumExp(proposal)[0], isInformed: isInformed)
  }

  /// Files the squared distances of candidates' invariants from the observed ones, over the observed state's squared length.
  private mutating func evaluate(
    _ candidates: [(search: Int, token: Int32)], _ hypotheses: [Hypothesis], _ row: Matrix, _ searches: inout [SequentialSearch]
  ) {
    let caches = hypotheses.map(\.cache)
    let length = KnownSpan.length(row[row: 0])
    for start in stride(from: 0, to: candidates.count, by: Codebook.batch) {
      let batch = Array(candidates[start..<min(start + Codebook.batch, candidates.count)])
      let tokens = batch.map(\.token)
      let states: Matrix
      if let anchors, hypotheses[0].tokens.isEmpty {
        // Without a prefix a token's state is in the table.
        states = model.compute.gather(anchors.first, rows: tokens.map(Int.init)[...])
      } else {
        states = stack.candidates(model.embedding.gather(tokens), prefixOf: batch.map(\.search), caches: caches)
        forwards += tokens.count
      }
      // Candidates of one hypothesis follow each other.
      var first = 0
      while first < batch.count {
        let i = batch[first].search
        let end = batch[first...].firstIndex { $0.search != i } ?? batch.count
        let span = hypotheses[i].span
        let seen = span.ofPlain.apply(states.slice(first..<end), model.compute)
        let target = span.ofObserved.apply(row, model.compute)
        let distances = model.compute.squaredDistances(seen, to: target, target: [Int32](repeating: 0, count: seen.rows))
        searches[i].add(zip(batch[first..<end], distances).map { ($0.token, Float(Double($1) / (length * length))) })
        first = end
      }
    }
  }

  /// Puts the chosen tokens into the caches, spans and priors.
  private func advance(_ hypotheses: inout [Hypothesis], _ row: Matrix, at t: Int) {
    var caches = hypotheses.map(\.cache)
    let tokens = hypotheses.map { $0.tokens.last! }
    let batch = PackedBatch(lengths: tokens.map { _ in 1 }, pasts: tokens.map { _ in t })
    let states = stack.forward(model.embedding.gather(tokens), batch, caches: &caches)
    let priors = prior.advance(zip(hypotheses, tokens).map { ($0.prior, $1) })
    for i in hypotheses.indices {
      (hypotheses[i].cache, hypotheses[i].prior) = (caches[i], priors[i])
      hypotheses[i].span.learn(states[row: i], row[row: 0])
    }
  }

  /// The likelihood of invariants under rounding, which a badly conditioned span magnifies.
  private static func scale(_ span: KnownSpan, _ rounding: Double) -> CandidateLikelihood.Scale {
    let (variance, width) = (pow(rounding / span.conditioning, 2), Double(span.rank + 1))
    return CandidateLikelihood.Scale(
      weight: Float(1 / (2 * variance)), limit: Float(variance * CandidateLikelihood.Scale.largestSquare(width)))
  }

  /// Its normaliser, which hypotheses with different spans do not share; the squared distance is in the score.
  private static func logDensity(_ span: KnownSpan, _ rounding: Double) -> Double {
    -Double(span.rank + 1) * log(rounding / span.conditioning)
  }
}

extension SequentialSearch {
  /// The squared distance of an evaluated candidate, infinity for others.
  fileprivate func distance(of token: Int32) -> Float { evaluated.first { $0.token == token }?.distance ?? .infinity }

  /// How many of `vocabulary` tokens would lie within the limit by accident, if tokens' invariants are spread evenly about the observed ones as far as the
  /// nearest that does not fit: of n evaluated that one is first, so (limit / distance)^m · vocabulary / n. Infinity where nothing fits, or
  /// everything: then nothing says how far apart tokens lie.
  fileprivate func accidentalFits(invariants m: Int, of vocabulary: Int) -> Double {
    var (fits, misfit) = (0, Float.infinity)
    for (_, distance) in evaluated { if distance <= scale.limit { fits += 1 } else if distance < misfit { misfit = distance } }
    guard fits > 0, misfit.isFinite else { return .infinity }
    return pow(Double(scale.limit / misfit), Double(m) / 2) * Double(vocabulary) / Double(evaluated.count)
  }
}
