import Diagnostics
import LeakageMetrics
import TestSupport
import Testing

@Suite struct SequenceMetricTests {
  @Test func tokenMetricsEqualTheReference() throws {
    for document in try Reference.load().documents {
      let expected = document.truth_tokens.isEmpty ? nil : document
      let scored = document.scored
      #expect(TokenAccuracy().score(scored) == expected?.accuracy)
      #expect(abs((BagF1().score(scored) ?? -1) - (expected?.bag ?? -1)) < 1e-12)
      #expect(TokenEditDistance().score(scored) == expected?.token_edit)
      #expect(ExactMatch().score(scored) == expected.map { $0.truth_tokens == $0.guess_tokens ? 1 : 0 })
    }
  }

  /// The bit-parallel comparisons against the textbook tables, across the borders of machine words and of the sparse and dense masks.
  @Test func bitParallelEqualsTheTable() {
    var random = SplitMix(state: 5)
    for round in 0..<400 {
      let alphabet = [1, 2, 3, 20, 5_000][round % 5]
      let longest = round < 300 ? 140 : 700
      let truth = (0..<(1 + random.below(longest))).map { _ in Int32(random.below(alphabet)) }
      var guess = (0..<random.below(longest)).map { _ in Int32(random.below(alphabet)) }
      if round % 2 == 0 { guess = truth.filter { _ in random.below(10) > 2 } + guess.prefix(9) }
      let words = { (tokens: [Int32]) in tokens.map { "w\($0)" }.joined(separator: " ") }
      let scored = ScoredDocument(truthTokens: truth, guessTokens: guess, truthText: words(truth), guessText: words(guess))
      let distance = Double(editDistance(truth, guess)) / Double(max(truth.count, guess.count))
      #expect(TokenEditDistance().score(scored) == distance)
      let common = Double(tableLCS(truth, guess))
      let f1 = common == 0 ? 0 : 2 * common / Double(truth.count + guess.count)
      #expect(abs((RougeL().score(scored) ?? -1) - f1) < 1e-12)
    }
  }

  private func tableLCS(_ a: [Int32], _ b: [Int32]) -> Int {
    var row = [Int](repeating: 0, count: b.count + 1)
    for x in a {
      var diagonal = 0
      for (j, y) in b.enumerated() {
        let above = row[j + 1]
        row[j + 1] = x == y ? diagonal + 1 : max(above, row[j])
        diagonal = above
      }
    }
    return row[b.count]
  }
}
