import Audit
import Foundation
import LeakageMetrics
import PrivateText
import Testing

@Suite struct HardTokenTests {
  private func scored(_ truth: [Int32], _ guess: [Int32], rare: [Bool]?, content: [Bool]? = nil) -> ScoredDocument {
    ScoredDocument(truthTokens: truth, guessTokens: guess, truthText: "", guessText: "", isRare: rare, isContent: content)
  }

  @Test func onlyMarkedPositionsCountAndDocumentsArePooled() {
    let one = scored([1, 2, 3, 4], [1, 0, 3, 0], rare: [true, true, false, false], content: [false, false, true, true])
    let two = scored([5, 6, 7], [5, 6, 7], rare: [true, true, true], content: [false, false, false])
    #expect(RareTokenAccuracy().score(one) == 0.5 && RareTokenAccuracy().score(two) == 1)
    // Pooled: 4 of 5 rare tokens, not the mean of the documents.
    #expect(RareTokenAccuracy().estimate([one, two], seed: 1)?.mean == 0.8)
    #expect(ContentWordAccuracy().score(one) == 0.5 && ContentWordAccuracy().score(two) == nil)
    #expect(RareTokenAccuracy().score(scored([1], [1], rare: nil)) == nil)
    #expect(RareTokenAccuracy().score(scored([1, 2], [1], rare: [false, true])) == 0)
  }

  @Test func contentWords() {
    let text = "The cat’s milk isn't here; naïve Zoë ate 42 of it."
    let words = ContentWords.ranges(in: text).map { String(decoding: Array(text.utf8)[$0], as: UTF8.self) }
    #expect(words == ["cat’s", "milk", "naïve", "Zoë", "ate", "42"])
    #expect(ContentWords.ranges(in: "").isEmpty && ContentWords.ranges(in: " of the -- ").isEmpty)
  }
}

@Suite struct PersonalDataTests {
  private let document = ScoredDocument(
    truthTokens: [], guessTokens: [], truthText: "", guessText: "",
    entities: [
      ScoredEntity(kind: .name, text: "Ada Byron", guess: " Ada Byron,"), ScoredEntity(kind: .email, text: "ada@x.org", guess: "ada@y.org"),
      ScoredEntity(kind: .phone, text: "555-0199", guess: "555-0"), ScoredEntity(kind: .email, text: "b@c.de", guess: ""),
      ScoredEntity(kind: .demographic, text: "37", guess: "38"),
    ])

  @Test func recallExactAndFuzzyInTotalAndByKind() {
    #expect(PIIRecall().score(document) == 0.2)
    // The e-mail address is one substitution away; "38" is too, but two characters are too few to be lenient about.
    #expect(FuzzyPIIRecall().score(document) == 0.4)
    #expect(PIIRecall(kind: .name).score(document) == 1 && PIIRecall(kind: .email).score(document) == 0)
    #expect(PIIRecall(kind: .address).score(document) == nil)
    let plain = ScoredDocument(truthTokens: [1], guessTokens: [1], truthText: "a", guessText: "a")
    #expect(PIIRecall().score(plain) == nil && FuzzyPIIRecall().score(plain) == nil && CanaryExposure().score(plain) == nil)
  }

  @Test func everyKindHasAMetric() throws {
    for kind in PrivateEntity.Kind.allCases {
      #expect(try MetricCatalog.named("pii_recall_\(kind.rawValue)").score(document) == PIIRecall(kind: kind).score(document))
    }
  }
}

@Suite struct SecretRankTests {
  private let logs = { (p: [Double]) in p.map { Float(log($0)) } }

  /// Two positions over a vocabulary of 10, the four candidates 11, 12, 21, 22 in tokens 1 and 2.
  private let candidates: [[Int32]] = [[1, 1], [1, 2], [2, 1], [2, 2]]

  @Test func theLikelihoodOrdersCandidates() {
    // p(1) = .7, p(2) = .2, rest .1; then p(1) = .3, p(2) = .6, rest .1: 12 .42, 11 .21, 22 .12, 21 .06.
    let posterior = TokenPosterior(
      width: 2, ids: [1, 2, 1, 2], logProbabilities: logs([0.7, 0.2, 0.3, 0.6]), restLogProbability: logs([0.1, 0.1]))
    let ranks = candidates.indices.map {
      secretRank(of: $0, among: candidates, in: posterior, from: 0, vocabularySize: 10).rank
    }
    #expect(ranks == [2, 1, 4, 3])
    #expect(secretRank(of: 1, among: candidates, in: posterior, from: 0, vocabularySize: 10).exposure == 2)
  }

  /// Nothing is listed: all are equally likely and share the middle rank.
  @Test func whoKnowsNothingHasTheMiddleRank() {
    let posterior = TokenPosterior(width: 1, ids: [-1, -1], logProbabilities: [.nan, 0], restLogProbability: [0, 0])
    let rank = secretRank(of: 3, among: candidates, in: posterior, from: 0, vocabularySize: 10)
    #expect(rank == SecretRank(rank: 2.5, alternatives: 4))
    #expect(abs(rank.exposure - log2(4 / 2.5)) < 1e-12)
  }

  /// A posterior that excludes the truth gives it the last rank and no infinity.
  @Test func theImpossibleIsLast() {
    let posterior = TokenPosterior(width: 1, ids: [1, 1], logProbabilities: [0, 0], restLogProbability: [-.infinity, -.infinity])
    let rank = secretRank(of: 3, among: candidates, in: posterior, from: 0, vocabularySize: 10)
    #expect(rank.rank == 4 && rank.exposure == 0)
    let document = ScoredDocument(
      truthTokens: [], guessTokens: [], truthText: "", guessText: "", secretRanks: [rank, SecretRank(rank: 1, alternatives: 4)])
    #expect(CanaryExposure().score(document) == 1)
  }
}
