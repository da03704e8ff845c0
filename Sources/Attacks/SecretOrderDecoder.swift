import Audit
import Checkpoints
import Kernels
import Llama

/// Sequential matching of documents whose rows came in a secret order (Thomas et al. 2025 for permuted sequences): at position t candidates are run after
/// the prefix found so far and compared with every row that no earlier position took; the best pair of a candidate and a row is both the token and
/// its place.
///
///     score(v) = max over rows r that are left of  −‖y_r − F_p(prefix, v)_t‖² / (2 s_r²) + λ ln q(v | prefix)
///
/// Candidates are tried in the order of the prior times the best that a row that is left says for them, ln p(y_r | v) − ln Σ u(v') p(y_r | v'), u the
/// unigram law: rows do not know their position, so their anchor likelihoods are computed once a document. One hypothesis a document: among clean
/// states the right row stands out. Before the first block a state does not know its position, and the order is the language model's.
struct SecretOrderDecoder {
  /// Candidates of a position in the first, second, … round; the last one repeats.
  private static let rounds = [16, 64, 256, 1024, 4096]
  private static let leastRest = 1e-3
  /// Distance of values that overflow: worse than any other, and still a number.
  private static let farthest: Float = 1e30

  private struct Document {
    var range: Range<Int>
    var tokens: [Int32] = []
    var posteriors: [TokenPosterior] = []
    /// Rows that are left, of the target.
    var left: [Int]
    var cache: SequenceCache
    var prior: LanguagePrior.Branch
    /// Log-likelihood ratios of all tokens by row of the document, [T, V], for first and later positions; nil without anchors.
    var first: Matrix?
    var later: Matrix?
  }

  private let settings: SequentialMatching
  private let observed: Matrix
  private let likelihood: CandidateLikelihood
  private let target: CandidateLikelihood.Target
  private let stack: BlockStack
  private let model: LlamaModel
  private let prior: LanguagePrior
  private let unigram: [Float]
  private let anchors: CandidateOrder?
  /// ‖y_r‖² and s_r².
  private let squares: [Double]
  private let variances: [Float]
  private let scale: CandidateLikelihood.Scale
  private(set) var forwards = 0

  init(
    _ settings: SequentialMatching, _ observed: Matrix, _ likelihood: CandidateLikelihood, _ stack: BlockStack, anchors: CandidateOrder?,
    _ means: AttackerMeans
  ) {
    (self.settings, self.observed, self.likelihood, self.stack, self.anchors) = (settings, observed, likelihood, stack, anchors)
    model = means.model
    prior = LanguagePrior(means)
    unigram = Unigram.of(means).logProbabilities
    let target = likelihood.target(observed)
    self.target = target
    squares = (0..<observed.rows).map { observed[row: $0].reduce(0.0) { $0 + Double($1) * Double($1) } }
    variances = (0..<observed.rows).map { 1 / (2 * likelihood.scale(target, row: $0, isFirst: false, best: 0).weight) }
    // Distances are in units of their row's variance, so that one scale fits all.
    scale = CandidateLikelihood.Scale(
      weight: 0.5, limit: CandidateLikelihood.Scale.largestSquare(Float(observed.columns)), isClean: likelihood.sigma == 0)
  }

  /// - Parameter ranges: rows of each document.
  mutating func decode(_ ranges: [Range<Int>], _ progress: (Double) throws -> Void) throws -> [SequentialDecoder.Document] {
    var documents = ranges.map { range in
      Document(
        range: range, left: Array(range), cache: stack.emptyCache(), prior: prior.start(), first: ratios(range, isFirst: true),
        later: ratios(range, isFirst: false))
    }
    let longest = ranges.map(\.count).max() ?? 0
    for t in 0..<longest {
      let active = documents.indices.filter { ranges[$0].count > t }
      let (searches, rows) = search(active.map { documents[$0] }, at: t)
      for (search, (rows, d)) in zip(searches, zip(rows, active)) {
        let token = search.ranked[0].token
        documents[d].tokens.append(token)
        documents[d].posteriors.append(
          search.posterior(width: SequentialDecoder.posteriorWidth, leastRest: Self.leastRest, isExhaustive: false))
        documents[d].left.removeAll { $0 == rows[token]! }
        documents[d].first = nil
      }
      advance(&documents, active.filter { ranges[$0].count > t + 1 }, at: t)
      try progress(Double(t + 1) / Double(longest))
    }
    return documents.map { SequentialDecoder.Document(tokens: $0.tokens, posteriors: $0.posteriors) }
  }

  /// ln p(y_r | v) − ln Σ u(v') p(y_r | v') of the rows of a document, [T, V].
  private func ratios(_ range: Range<Int>, isFirst: Bool) -> Matrix? {
    guard let anchors, !range.isEmpty else { return nil }
    let compute = model.compute
    let deviation = Double(range.map { variances[$0] }.max()!.squareRoot())
    let scorer = isFirst ? anchors.table.scorer(isFirst: true, sigma: deviation, compute) : anchors.later
    var scores = scorer.logLikelihoods(observed.slice(range), compute)
    var weighted = scores
    compute.addBias(&weighted, unigram)
    for (row, normaliser) in compute.logSumExp(weighted).enumerated() {
      for v in 0..<scores.columns { scores[row, v] -= normaliser }
    }
    return scores
  }

  // MARK: - One position

  /// Evaluates candidates of every document, in rounds, until each search is settled. Also returns the best row of each candidate.
  private mutating func search(_ documents: [Document], at t: Int) -> (searches: [SequentialSearch], rows: [[Int32: Int]]) {
    var searches = documents.map { proposals($0, isFirst: t == 0) }
    var rows = [[Int32: Int]](repeating: [:], count: documents.count)
    let limit = min(settings.maxCandidates, model.configuration.vocabularySize)
    var round = 0
    while searches.contains(where: { !$0.settled }) {
      let size = settings.candidates == .exhaustive ? limit : Self.rounds[min(round, Self.rounds.count - 1)]
      let open = searches.indices.filter { !searches[$0].settled }
      let batch = open.flatMap { i in searches[i].next(min(size, limit - searches[i].evaluated.count)).map { (i, $0) } }
      evaluate(batch, documents, &searches, &rows, isFirst: t == 0)
      for i in open {
        searches[i].weigh(scale)
        searches[i].settled =
          searches[i].evaluated.count >= limit
          || (settings.candidates != .exhaustive && searches[i].isSettled(share: Self.leastRest))
      }
      round += 1
    }
    return (searches, rows)
  }

  private func proposals(_ document: Document, isFirst: Bool) -> SequentialSearch {
    let weighted = prior.logProbabilities(of: document.prior).map { $0 * settings.priorWeight }
    var proposal = weighted
    if let ratios = isFirst ? document.first : document.later {
      var best = [Float](repeating: -.infinity, count: proposal.count)
      for row in document.left {
        let start = (row - document.range.lowerBound) * ratios.columns
        ratios.values.withUnsafeBufferPointer { values in
          for v in best.indices { best[v] = max(best[v], values[start + v]) }
        }
      }
      // Values that overflow say nothing.
      for v in proposal.indices where best[v].isFinite { proposal[v] += best[v] }
    }
    return SequentialSearch(
      prior: weighted, proposal: proposal,
      proposalMass: model.compute.logSumExp(Matrix(rows: 1, columns: proposal.count, values: proposal))[0], isInformed: anchors != nil)
  }

  /// Runs candidates through the client's blocks, in batches, and files how far each is from the row nearest to it, squared and in variances of that row.
  private mutating func evaluate(
    _ candidates: [(search: Int, token: Int32)], _ documents: [Document], _ searches: inout [SequentialSearch],
    _ nearest: inout [[Int32: Int]], isFirst: Bool
  ) {
    let caches = documents.map(\.cache)
    for start in stride(from: 0, to: candidates.count, by: Codebook.batch) {
      let batch = candidates[start..<min(start + Codebook.batch, candidates.count)]
      let states = stack.candidates(model.embedding.gather(batch.map(\.token)), prefixOf: batch.map(\.search), caches: caches)
      let seen = likelihood.compared(states, model.compute)
      // Candidates of one document follow each other.
      var rows: [Int32] = []
      var first = batch.startIndex
      while first < batch.endIndex {
        let i = batch[first].search
        let end = batch[first...].firstIndex { $0.search != i } ?? batch.endIndex
        rows += nearestRows(seen.slice(first - batch.startIndex..<end - batch.startIndex), among: documents[i].left)
        first = end
      }
      let distances = likelihood.distances(seen, target, rows: rows, isFirst: isFirst, model.compute)
      for ((i, token), (row, distance)) in zip(batch, zip(rows, distances)) {
        let inVariances = distance / variances[Int(row)]
        searches[i].add([(token, inVariances < Self.farthest ? inVariances : Self.farthest)])
        nearest[i][token] = Int(row)
      }
    }
    forwards += candidates.count
  }

  /// The row nearest to each state, in its own variances; by squares and a product, which is near enough to choose by.
  private func nearestRows(_ states: Matrix, among left: [Int]) -> [Int32] {
    let inner = model.compute.product(states, model.compute.gather(observed, rows: left[...]), transposeB: true)
    return (0..<states.rows).map { r in
      let own = states[row: r].reduce(0.0) { $0 + Double($1) * Double($1) }
      var best = (row: left[0], distance: Double.infinity)
      for (k, row) in left.enumerated() {
        let distance = (own + squares[row] - 2 * Double(inner[r, k])) / Double(variances[row])
        if distance < best.distance { best = (row, distance) }
      }
      return Int32(best.row)
    }
  }

  /// Puts the chosen tokens into the caches and priors of documents that go on.
  private func advance(_ documents: inout [Document], _ going: [Int], at t: Int) {
    guard !going.isEmpty else { return }
    let tokens = going.map { documents[$0].tokens.last! }
    var caches = going.map { documents[$0].cache }
    _ = stack.forward(
      model.embedding.gather(tokens), PackedBatch(lengths: going.map { _ in 1 }, pasts: going.map { _ in t }), caches: &caches)
    let priors = prior.advance(zip(going, tokens).map { (documents[$0].prior, $1) })
    for (k, d) in going.enumerated() { (documents[d].cache, documents[d].prior) = (caches[k], priors[k]) }
  }
}

extension SequentialMatching {
  /// Documents whose rows are compared in step with each other: their tables of all tokens by row are held together.
  private static let documentsInSecretOrder = 8

  /// All documents, each with its rows in an order that is not known. The weights are taken to be the victim's: self-training would need the order first.
  func matchedInSecretOrder(
    _ view: AdversaryView, _ observed: Matrix, _ likelihood: CandidateLikelihood, _ stack: BlockStack, _ means: AttackerMeans,
    _ progress: (Double) throws -> Void
  ) throws -> (Reconstruction, forwards: Int) {
    var plain = likelihood
    plain.profiles = false
    let anchors = candidates.isAnchored ? CandidateOrder(stack.blocks.count, plain, means) : nil
    var decoder = SecretOrderDecoder(self, observed, plain, stack, anchors: anchors, means)
    var found = Reconstruction(tokens: [], posterior: TokenPosterior(width: SequentialDecoder.posteriorWidth))
    for first in stride(from: 0, to: view.documents, by: Self.documentsInSecretOrder) {
      let group = first..<min(first + Self.documentsInSecretOrder, view.documents)
      let documents = try decoder.decode(group.map(view.range)) {
        try progress((Double(first) + $0 * Double(group.count)) / Double(view.documents))
      }
      for document in documents {
        found.tokens.append(document.tokens)
        for step in document.posteriors { found.posterior!.append(step, position: 0) }
      }
    }
    if likelihood.profiles { found.notes.append("rows in a secret order: the weights were taken to be the victim's") }
    return (found, decoder.forwards)
  }
}
