import Audit
import Checkpoints
import Foundation
import Kernels
import Llama
import SplitLearning

/// What no formula gives, chosen on public passages that were sent as the private ones were: how much the language model counts, and how many
/// hypotheses are worth their price. Private text takes no part.
extension SequentialMatching {
  /// Whether it is chosen at all.
  enum Tuning: String, CaseIterable { case never, rehearsed }

  /// Passages of a rehearsal, and how many hypotheses are tried.
  private static let (passages, wideBeam) = (8, 4)
  /// Share of tokens in doubt below which there is nothing to gain, and candidates a token above which it takes too long: rehearsals and the second pass
  /// try about six times as many.
  private static let (littleDoubt, mostForwards) = (0.005, 150)
  /// λ is multiplied by the first as long as that helps, else by the second, so many times.
  private static let (less, more, turns): (Float, Float, Int) = (0.7, 1.4, 3)

  /// What one setting makes of the rehearsed passages.
  fileprivate struct Rehearsed {
    var wrong: Int
    /// −Σ ln p(true token), in nats.
    var nats: Double
  }

  /// Decodes `view`; where the posterior leaves doubt, with λ and hypotheses as a rehearsal has them best.
  func decodedAsTuned(
    _ view: AdversaryView, _ observed: Matrix, _ likelihood: CandidateLikelihood, sigma: Double, _ stack: BlockStack,
    _ means: AttackerMeans, anchors: CandidateOrder?, _ progress: (Double) throws -> Void
  ) throws -> (Reconstruction, forwards: Int) {
    var (found, forwards) = try decode(view, observed, likelihood, stack, means, anchors: anchors) { try progress(0.3 * $0) }
    let posterior = found.posterior!
    let doubt = (0..<view.tokens).reduce(0.0) { $0 + 1 - exp(Double(posterior.logProbabilities[$1 * posterior.width])) }
    let count = means.auxiliary.count
    guard doubt > Self.littleDoubt * Double(view.tokens), count > 0 else { return (found, forwards) }
    guard forwards <= Self.mostForwards * view.tokens else {
      found.notes.append(
        "nothing was tuned: the first pass tried \(forwards / view.tokens) candidates a token, more than the \(Self.mostForwards) that a rehearsal may"
      )
      return (found, forwards)
    }
    let rehearsal = means.rehearsal(like: view, passages: max(0, count - Self.passages)..<count, sigma: sigma, stream: "beam")
    guard let states = rehearsal.view.observations[.inputHiddenStates]?.values else { return (found, forwards) }
    let trials = Double(Self.turns + 3)
    var tried = 0.0
    func rehearsed(_ matching: SequentialMatching) throws -> Rehearsed {
      let (guess, more) = try matching.decode(rehearsal.view, states, likelihood, stack, means, anchors: anchors) {
        try progress(0.3 + 0.3 * min(1, (tried + $0) / trials))
      }
      (forwards, tried) = (forwards + more, tried + 1)
      return Rehearsed(guess, rehearsal.truth, vocabulary: means.model.configuration.vocabularySize)
    }
    var best = self
    var score = try rehearsed(best)
    for factor in [Self.less, Self.more] where best.priorWeight == priorWeight && priorWeight > 0 {
      for _ in 0..<Self.turns {
        var other = best
        other.priorWeight *= factor
        let now = try rehearsed(other)
        guard now.nats < score.nats else { break }
        (best, score) = (other, now)
      }
    }
    if beam < Self.wideBeam {
      var wider = best
      wider.beam = Self.wideBeam
      if try rehearsed(wider).wrong < score.wrong { best = wider }
    }
    if best.beam != beam || best.priorWeight != priorWeight {
      let (again, more) = try best.decode(view, observed, likelihood, stack, means, anchors: anchors) { try progress(0.6 + 0.4 * $0) }
      (found, forwards) = (again, forwards + more)
    }
    found.notes.append(
      "chosen on \(rehearsal.truth.count) public passages: prior_weight \((Double(best.priorWeight) * 100).rounded() / 100), beam \(best.beam)"
    )
    return (found, forwards)
  }
}

extension SequentialMatching.Rehearsed {
  fileprivate init(_ guess: Reconstruction, _ truth: [[Int32]], vocabulary: Int) {
    wrong = zip(guess.tokens, truth).reduce(0) { $0 + zip($1.0, $1.1).count { $0 != $1 } }
    let posterior = guess.posterior!
    nats = truth.joined().enumerated().reduce(0.0) { sum, next in
      let listed = next.offset * posterior.width..<(next.offset + 1) * posterior.width
      let own = posterior.ids[listed].firstIndex(of: next.element).map { posterior.logProbabilities[$0] }
      // What is not listed shares the rest alike.
      return sum - Double(own ?? posterior.restLogProbability[next.offset] - log(Float(vocabulary)))
    }
  }
}
