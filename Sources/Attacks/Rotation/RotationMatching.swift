import Audit
import Kernels
import Llama

/// Sequential matching of states in a secret rotation, y = h Q, with the weights known.
///
/// A few documents are decoded from nothing (`RotationOpening`), which makes known plaintext of them. All documents are then decoded by the invariants
/// that those directions give; orthogonal Procrustes on whatever fits gives Q on the span of all decoded states, and they are decoded again in that
/// basis: where it is whole with the plain likelihood, as if there were no rotation. Where no document opens (other weights, documents of one token),
/// nothing of the basis is known and the answer is the language model's.
extension SequentialMatching {
  /// Documents that are tried for an opening, and directions after which no further one is needed.
  private static let openings = 4
  private static let enoughDirections = 16
  /// Passes over all documents, fewer when the second changes nothing.
  private static let passes = 3
  /// Share of a decoded state that may disagree with the observed one: the floor of the likelihood, a little more.
  private static let fit = 1.5e-3
  /// Rounding of a state along one direction, over its length: of f32 blocks that sum in another order, and of storage in f16.
  private static let rounding = (single: 2e-6, half: 3e-5)

  func matchedInSecretRotation(
    _ view: AdversaryView, _ observed: Matrix, _ likelihood: CandidateLikelihood, _ stack: BlockStack, _ means: AttackerMeans,
    _ progress: (Double) throws -> Void
  ) throws -> (Reconstruction, forwards: Int) {
    let shares = Double(Self.passes + 1)
    let isHalf = observed.values.allSatisfy { Float(Float16($0)) == $0 }
    let rounding = isHalf ? Self.rounding.half : Self.rounding.single
    var (span, forwards) = try opened(view, observed, rounding: rounding, stack, means) { try progress($0 / shares) }
    guard span.rank > 0 else {
      var guess = try LanguageModelGuess([:]).reconstruct(view, with: means) { try progress((1 + 3 * $0) / shares) }
      guess.notes.append("no document opened the secret rotation; the answer is the language model's")
      return (guess, forwards)
    }
    var found = Reconstruction(tokens: [])
    for pass in 1...Self.passes {
      let (next, more) = try decode(view, observed, likelihood, stack, means, knowing: span) { try progress((Double(pass) + $0) / shares) }
      forwards += more
      let isSettled = pass > 1 && next.tokens == found.tokens
      found = next
      if isSettled || pass == Self.passes { break }
      span = Self.learned(view, observed, rounding: rounding, found.tokens, stack, means, knowing: span)
    }
    return (found, forwards)
  }

  /// The span of the states of a few documents, longest first, decoded from nothing.
  private func opened(
    _ view: AdversaryView, _ observed: Matrix, rounding: Double, _ stack: BlockStack, _ means: AttackerMeans,
    _ progress: (Double) throws -> Void
  ) throws -> (KnownSpan, forwards: Int) {
    let compute = means.model.compute
    var span = KnownSpan(channels: observed.columns)
    let usable = (0..<view.documents).filter { document in
      view.range(of: document).count > 1 && view.range(of: document).allSatisfy { KnownSpan.isUsable(observed[row: $0]) }
    }
    guard !usable.isEmpty else { return (span, 0) }
    let order = usable.sorted { (view.range(of: $0).count, $1) > (view.range(of: $1).count, $0) }
    var opening = RotationOpening(self, rounding: rounding, stack, means)
    var known: [(tokens: [Int32], rows: Range<Int>)] = []
    let tried = order.prefix(Self.openings)
    for (i, document) in tried.enumerated() where span.rank < min(Self.enoughDirections, observed.columns) {
      let rows = view.range(of: document)
      let beginning = try opening.decode(observed.slice(rows), knowing: span) { try progress((Double(i) + $0) / Double(tried.count)) }
      guard let beginning else { continue }
      known.append((beginning, rows.prefix(beginning.count)))
      span = KnownSpan(
        known: means.states(of: known.map(\.tokens), through: stack), observed: compute.gather(observed, rows: known.flatMap(\.rows)[...]),
        rounding: rounding, compute)
    }
    return (span, opening.forwards)
  }

  /// One pass over all documents by what is known of the rotation.
  private func decode(
    _ view: AdversaryView, _ observed: Matrix, _ likelihood: CandidateLikelihood, _ stack: BlockStack, _ means: AttackerMeans,
    knowing span: KnownSpan, _ progress: (Double) throws -> Void
  ) throws -> (Reconstruction, forwards: Int) {
    let compute = means.model.compute
    var within = likelihood
    if span.isWhole {
      // Nothing is secret any more: the plain law, with the plain tables.
      within = CandidateLikelihood(noise: .none, sigma: 0, profiles: likelihood.profiles)
      return try decode(view, span.restored(observed, compute), within, stack, means, progress)
    }
    within.feature = span.ofPlain
    var anchors: CandidateOrder?
    if candidates.isAnchored {
      let table = AnchorTable.at(stack.blocks.count, means).seen(through: span.ofPlain, inputBlocks: stack.blocks.count, means)
      let later = table.whitenedScorer(sigma: 0, inputBlocks: stack.blocks.count, feature: span.ofPlain, means)
      anchors = CandidateOrder(table: table, later: later)
    }
    return try decode(view, span.ofObserved.applyInParts(observed, compute), within, stack, means, anchors: anchors, progress)
  }

  /// The span of all decoded states that agree with what was observed as far as `span` can tell; wrong tokens teach nothing.
  private static func learned(
    _ view: AdversaryView, _ observed: Matrix, rounding: Double, _ tokens: [[Int32]], _ stack: BlockStack, _ means: AttackerMeans,
    knowing span: KnownSpan
  ) -> KnownSpan {
    let compute = means.model.compute
    let states = means.states(of: tokens.filter { !$0.isEmpty }, through: stack)
    let (mine, theirs) = (span.ofPlain.applyInParts(states, compute), span.ofObserved.applyInParts(observed, compute))
    let distances = compute.squaredDistances(mine, to: theirs, target: (0..<Int32(mine.rows)).map { $0 })
    let fitting = (0..<view.tokens).filter { row in
      Double(distances[row]).squareRoot() <= fit * KnownSpan.length(observed[row: row])
    }
    guard !fitting.isEmpty else { return span }
    return KnownSpan(
      known: compute.gather(states, rows: fitting[...]), observed: compute.gather(observed, rows: fitting[...]), rounding: rounding, compute
    )
  }
}
