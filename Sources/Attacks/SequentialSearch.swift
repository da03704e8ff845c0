import Audit
import Foundation

/// What one position of one hypothesis has come to: which candidates were tried and how they fit.
package struct SequentialSearch {
  /// λ ln q [V], and ln q + ln anchor likelihood [V]; see `next` for how they order the candidates.
  let prior: [Float]
  let proposal: [Float]
  /// ln Σ exp(proposal): what all tokens together are expected to weigh.
  let proposalMass: Float
  /// Whether `proposal` knows the observation; otherwise it is the prior alone.
  let isInformed: Bool
  /// Candidates evaluated before the search may end, unless the best stands out (`isSettled`).
  let least: Int
  private(set) var evaluated: [(token: Int32, distance: Float)] = []
  private(set) var best: Float = -.infinity
  private(set) var smallest: Float = .infinity
  private(set) var scale = CandidateLikelihood.Scale(weight: 1, limit: .infinity)
  var settled = false

  package init(prior: [Float], proposal: [Float], proposalMass: Float, isInformed: Bool, least: Int = 0) {
    (self.prior, self.proposal, self.proposalMass) = (prior, proposal, proposalMass)
    (self.isInformed, self.least) = (isInformed, least)
  }

  func score(_ candidate: (token: Int32, distance: Float)) -> Float { prior[Int(candidate.token)] - scale.weight * candidate.distance }

  /// Proposals once more, after what candidates that were run after this prefix left of their anchors: most of that is the prefix's, and alike for all
  /// tokens. [V]; nil until then.
  package var refined: [Float]?
  /// State minus anchor of the nearest candidates so far.
  package private(set) var residuals: [(distance: Float, values: [Float])] = []
  private static let residualsKept = 8
  /// Candidates that are tried by the proposals alone.
  private static let surePicks = 32

  package mutating func add(residual values: @autoclosure () -> [Float], distance: Float) {
    guard residuals.count < Self.residualsKept || distance < residuals[residuals.count - 1].distance else { return }
    let place = residuals.firstIndex { distance < $0.distance } ?? residuals.count
    residuals.insert((distance, values()), at: place)
    if residuals.count > Self.residualsKept { residuals.removeLast() }
  }

  /// The next `count` candidates (fewer where the vocabulary ends): the best by the proposals, and once these were wrong, in turn by the proposals and by
  /// the prior. States that lie far from all anchors make the proposals sure of wrong tokens; the language model is wrong about other ones.
  package func next(_ count: Int) -> [Int32] {
    let listed = min(proposal.count, evaluated.count + count)
    let direct = largest(listed, of: refined ?? proposal)
    let likely = isInformed && listed > Self.surePicks ? largest(listed, of: prior) : []
    var (known, out) = (Set(evaluated.map(\.token)), [Int32]())
    var places = [0, 0]
    var turn = 0
    while out.count < count, places[0] < direct.count || places[1] < likely.count {
      let list = turn == 0 ? direct : likely
      while places[turn] < list.count, known.contains(list[places[turn]]) { places[turn] += 1 }
      if places[turn] < list.count {
        known.insert(list[places[turn]])
        out.append(list[places[turn]])
      }
      turn = likely.isEmpty ? 0 : 1 - turn
    }
    return out
  }

  /// Candidates with their scores, best first, ties to the smaller token.
  var ranked: [(token: Int32, score: Float)] {
    evaluated.map { ($0.token, score($0)) }.sorted { $0.1 == $1.1 ? $0.0 < $1.0 : $0.1 > $1.1 }
  }

  package mutating func add(_ candidates: [(token: Int32, distance: Float)]) {
    evaluated += candidates
    smallest = candidates.reduce(smallest) { min($0, $1.distance) }
  }

  /// To be called after a round: scores all candidates under the scale that the round leaves.
  package mutating func weigh(_ scale: CandidateLikelihood.Scale) {
    self.scale = scale
    best = evaluated.reduce(-.infinity) { max($0, score($1)) }
  }

  /// True when the best candidate fits as well as the truth would, and what was not evaluated is expected to hold under `share` of the mass; or, where
  /// the weights may be foreign, when it is so much nearer than all others, and these so far off, that it must be the truth.
  package func isSettled(share: Double) -> Bool {
    guard let top = evaluated.max(by: { score($0) < score($1) }) else { return false }
    // Ratio of the two best, as in a sequential test.
    let second = evaluated.lazy.filter { $0.token != top.token }.map(\.distance).min() ?? .infinity
    if scale.isForeign, evaluated.count >= Self.firstForeign, second > max(Self.distinct * top.distance, scale.limit) {
      return true
    }
    guard evaluated.count >= least,
      top.distance <= (evaluated.count < CandidateLikelihood.Scale.patience ? scale.limit : scale.patientLimit)
    else { return false }
    // A rival that is well beyond rounding says that the states of tokens are apart here.
    if scale.isClean, second > Self.apart * scale.limit { return true }
    return restMass < max(share, Self.indifferent * doubtfulTop)
  }

  /// Where nothing is sure, candidates that together hold less than this share of what the best one holds change little.
  private static let indifferent = 0.2

  /// Posterior of the best candidate among those evaluated where it is less than an even bet, else 0.
  private var doubtfulTop: Double {
    let top = 1 / evaluated.reduce(0.0) { $0 + exp(Double(score($1) - best)) }
    return top < 0.5 ? top : 0
  }

  /// How far, in limits, the next best candidate of a clean state must be for the best to be taken without trying more.
  private static let apart: Float = 16
  /// Weights that differ from the victim's put a state off by an unknown amount, but by the same for all candidates: the truth stands out when the
  /// next best is four times as far off, in the square or, under Laplace noise, the sum that distances are. Candidates that are evaluated at once before that is asked.
  private static let distinct: Float = 4
  static let firstForeign = 64

  /// Expected share of the posterior held by candidates that were not evaluated. With anchors: their proposal mass, rescaled by what the
  /// evaluated ones turned out to weigh. Without: their prior mass, each as likely as the runner-up.
  var restMass: Double {
    let evaluatedProposal = evaluated.reduce(0.0) { $0 + exp(Double(proposal[Int($1.token)] - proposalMass)) }
    let missing = max(0, 1 - evaluatedProposal)
    guard !isInformed else { return missing }
    guard evaluated.count > 1 else { return 1 }
    var fits: (Float, Float) = (-.infinity, -.infinity)
    for candidate in evaluated {
      let fit = -scale.weight * candidate.distance
      if fit > fits.0 { fits = (fit, fits.0) } else if fit > fits.1 { fits.1 = fit }
    }
    let total = evaluated.reduce(0.0) { $0 + exp(Double(score($1) - best)) }
    let rest = missing * exp(Double(fits.1 - best))
    return rest / (rest + total)
  }

  /// The posterior of the position given the prefix of its hypothesis.
  /// - Parameters:
  ///   - leastRest: least mass left to tokens that are not listed: the prefix may be wrong.
  ///   - isExhaustive: whether every token was evaluated.
  func posterior(width: Int, leastRest: Double, isExhaustive: Bool) -> TokenPosterior {
    let rest = isExhaustive ? leastRest : max(leastRest, min(0.5, restMass))
    let total = evaluated.reduce(0.0) { $0 + exp(Double(score($1) - best)) }
    let listed = ranked.prefix(width)
    let share = listed.map { exp(Double($0.score - best)) / total }
    let unlisted = max(0, 1 - share.reduce(0, +)) * (1 - rest) + rest
    var result = TokenPosterior(width: width)
    result.append(
      ids: listed.map(\.token), logProbabilities: share.map { Float(log(max(1e-300, $0 * (1 - rest)))) }, rest: Float(log(unlisted)))
    return result
  }
}
