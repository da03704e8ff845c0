import Diagnostics
import Foundation
import Privacy
import TestSupport
import Testing

@Suite struct DistinguishingGameTests {
  @Test(arguments: [
    (0.5, ".6382", ".0339", ".0048"), (1, ".7602", ".0924", ".0183"), (2, ".9214", ".3721", ".1378"), (4, ".9977", ".9529", ".8185"),
  ])
  func closedForms(mu: Double, auc: String, onePercent: String, onePerMille: String) throws {
    let mechanism = try GaussianMechanism(mu: mu)
    #expect("0" + auc == printed(mechanism.distinguishingAUC, decimals: 4))
    #expect("0" + onePercent == printed(mechanism.truePositiveRate(falsePositiveRate: 0.01), decimals: 4))
    #expect("0" + onePerMille == printed(mechanism.truePositiveRate(falsePositiveRate: 0.001), decimals: 4))
  }

  @Test func exactBinomialIntervals() throws {
    for point in try Reference.load().binomial {
      let interval = clopperPearson(successes: point.successes, trials: point.trials)
      #expect(abs(interval.lower - point.lower) < 1e-9 && abs(interval.upper - point.upper) < 1e-9, "\(point) \(interval)")
    }
  }

  @Test func deLongByDefinition() throws {
    for game in try Reference.load().games {
      let measured = try DistinguishingGame.measured(scoresUnderH0: game.h0, scoresUnderH1: game.h1)
      #expect(abs(measured.auc - game.auc) < 1e-12)
      let half = 1.959963984540054 * game.variance.squareRoot()
      #expect(abs(measured.aucInterval.lower - max(0, game.auc - half)) < 1e-12)
      #expect(abs(measured.aucInterval.upper - min(1, game.auc + half)) < 1e-12)
    }
  }

  @Test(arguments: [0.5, 1, 2])
  func theMeasuredGameCoversItsClosedForm(mu: Double) throws {
    var random = SplitMix(state: 42)
    let mechanism = try GaussianMechanism(mu: mu)
    let games = 200
    var (aucHits, tprHits, refuted) = (0, 0, 0)
    for _ in 0..<games {
      let h0 = (0..<400).map { _ in random.gaussian() }
      let h1 = (0..<400).map { _ in random.gaussian() + mu }
      let game = try DistinguishingGame.measured(scoresUnderH0: h0, scoresUnderH1: h1)
      if game.aucInterval.contains(mechanism.distinguishingAUC) { aucHits += 1 }
      // At a threshold fixed in advance the counts are binomial.
      let threshold = -StandardNormal.quantile(0.01)
      let hits = h1.count { $0 > threshold }
      if clopperPearson(successes: hits, trials: 400).contains(mechanism.truePositiveRate(falsePositiveRate: 0.01)) { tprHits += 1 }
      let bound = try EpsilonLowerBound(
        truePositives: hits, positives: 400, falsePositives: h0.count { $0 > threshold }, negatives: 400, delta: 1e-5)
      if !bound.permits(claimedEpsilon: try mechanism.epsilon(delta: 1e-5)) || bound.mu > mu { refuted += 1 }
    }
    #expect(aucHits >= 182 && tprHits >= 182, "\(aucHits) and \(tprHits) of \(games)")
    #expect(refuted <= 10, "\(refuted) of \(games) games refuted a true claim")
  }

  @Test func aFalseClaimIsRefuted() throws {
    let bound = try EpsilonLowerBound(truePositives: 999, positives: 1_000, falsePositives: 1, negatives: 1_000, delta: 1e-5)
    #expect(!bound.permits(claimedEpsilon: 4))
    #expect(bound.permits(claimedEpsilon: 8))
    #expect(bound.mu > 4 && bound.mu < 7)
    // By hand: ln((0.994442 - 1e-5) / 0.005558).
    #expect(abs(bound.epsilon - 5.1868) < 1e-3, "\(bound.epsilon)")
    let nothing = try EpsilonLowerBound(truePositives: 0, positives: 10, falsePositives: 0, negatives: 10, delta: 1e-5)
    #expect(nothing.epsilon == 0 && nothing.mu == 0)
  }

  @Test func operatingPoints() throws {
    let h0 = (0..<1_000).map(Double.init)
    let game = try DistinguishingGame.measured(scoresUnderH0: h0, scoresUnderH1: h0.map { $0 + 500 })
    #expect(game.atOnePercent.falsePositives == 10 && game.atOnePercent.isResolved)
    #expect(game.atOnePercent.truePositives == 510)
    #expect(game.atOnePerMille.falsePositives == 1 && game.atOnePerMille.truePositives == 501)
    let few = try DistinguishingGame.measured(scoresUnderH0: [0, 1, 2], scoresUnderH1: [2, 3])
    #expect(few.atOnePercent.falsePositives == 0 && few.atOnePercent.truePositives == 1 && !few.atOnePercent.isResolved)
  }

  @Test func completeSeparationHasAnHonestInterval() throws {
    let game = try DistinguishingGame.measured(scoresUnderH0: [0, 1, 2, 2, 1], scoresUnderH1: [3, 4, 5, 6, 7, 8, 9, 9])
    #expect(game.auc == 1 && game.aucInterval.upper == 1)
    #expect(abs(game.aucInterval.lower - pow(0.025, 0.2)) < 1e-9)
    let ties = try DistinguishingGame.measured(scoresUnderH0: [1, 1, 1], scoresUnderH1: [1, 1])
    #expect(ties.auc == 0.5)
  }

  @Test func refusesNonsense() {
    #expect(throws: Fault.self) { try DistinguishingGame.measured(scoresUnderH0: [1], scoresUnderH1: [1, 2]) }
    #expect(throws: Fault.self) { try DistinguishingGame.measured(scoresUnderH0: [1, .nan], scoresUnderH1: [1, 2]) }
    #expect(throws: Fault.self) {
      try EpsilonLowerBound(truePositives: 3, positives: 2, falsePositives: 0, negatives: 1, delta: 0.1)
    }
    #expect(throws: Fault.self) {
      try EpsilonLowerBound(truePositives: 1, positives: 2, falsePositives: 0, negatives: 0, delta: 0.1)
    }
  }
}
