import LeakageMetrics
import TestSupport
import Testing

@Suite struct BootstrapTests {
  private func subset(_ reference: Reference) -> [ScoredDocument] {
    stride(from: reference.subset.first, to: reference.subset.end, by: reference.subset.step).map { reference.documents[$0].scored }
  }

  private func close(_ a: Estimate, _ b: Estimate) -> Bool {
    a.n == b.n
      && zip([a.mean, a.lower, a.upper, a.standardError], [b.mean, b.lower, b.upper, b.standardError]).allSatisfy { abs($0 - $1) < 1e-9 }
  }

  @Test func equalsPythonDrawForDraw() throws {
    let reference = try Reference.load()
    let documents = subset(reference)
    let accuracy = try #require(TokenAccuracy().estimate(documents, seed: 42))
    #expect(close(accuracy, reference.bootstrap_accuracy), "\(accuracy) \(reference.bootstrap_accuracy)")
    // Corpus BLEU of each resampled corpus, not the mean of sentence values.
    let bleu = try #require(CorpusBLEU().estimate(documents, seed: 42, resamples: 100))
    #expect(close(bleu, reference.bootstrap_bleu), "\(bleu) \(reference.bootstrap_bleu)")
    #expect(bleu == CorpusBLEU().estimate(documents, seed: 42, resamples: 100))
    #expect(bleu != CorpusBLEU().estimate(documents, seed: 43, resamples: 100))
  }

  @Test func gainsArePaired() throws {
    // Documents differ widely, the gain is the same for all: the paired interval must be a point, the unpaired ones must not.
    let documents = (0..<20).map { i in
      (
        attack: document("", "", tokens: Array(repeating: 1, count: 20), guessed: Array(repeating: 1, count: i + 1)),
        baseline: document("", "", tokens: Array(repeating: 1, count: 20), guessed: Array(repeating: 1, count: i))
      )
    }
    let gain = try #require(TokenAccuracy().gain(attack: documents.map(\.attack), baseline: documents.map(\.baseline), seed: 9))
    #expect(abs(gain.mean - 0.05) < 1e-12 && gain.n == 20)
    #expect(gain.upper - gain.lower < 1e-12)
    let alone = try #require(TokenAccuracy().estimate(documents.map(\.attack), seed: 9))
    #expect(alone.upper - alone.lower > 0.1 && !alone.isDegenerate)
    #expect(alone.lower <= alone.mean && alone.mean <= alone.upper)
  }

  @Test func gainSkipsDocumentsUndefinedOnEitherSide() throws {
    let whole = ScoredDocument(
      truthTokens: [1], guessTokens: [1], truthText: "", guessText: "", truthLogProbability: [-1], priorLogProbability: [-2])
    let bare = document("", "")
    let gain = try #require(BitsPerToken().gain(attack: [whole, whole, bare], baseline: [whole, bare, whole], seed: 1))
    #expect(gain.n == 1 && gain.mean == 0 && gain.isDegenerate)
    #expect(BitsPerToken().gain(attack: [bare], baseline: [whole], seed: 1) == nil)
    #expect(BitsPerToken().estimate([], seed: 1) == nil)
  }

  @Test func intervalsCoverTheTruth() throws {
    var random = SplitMix(state: 77)
    var hits = 0
    for round in 0..<200 {
      let rows = (0..<60).map { _ in [Double(random.below(1_000)) / 999, 1] }
      let estimate = try #require(bootstrap(rows, seed: UInt64(round), resamples: 400) { $0[0] / $0[1] })
      if estimate.lower <= 0.5 && 0.5 <= estimate.upper { hits += 1 }
    }
    #expect(hits >= 180, "\(hits) of 200 nominal 95 % intervals cover")
  }
}
