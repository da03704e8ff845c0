import Kernels
import LeakageMetrics
import TestSupport
import Testing

@Suite struct MatchedRougeTests {
  /// Against all permutations, on random values, on values with many ties, and on values of both signs.
  @Test func theAssignmentIsTheBestOfAllPermutations() {
    var random = CounterRandom(seed: 3, stream: "assignment").generator()
    for round in 0..<300 {
      let n = 1 + round % 6
      let values = (0..<n).map { _ in
        (0..<n).map { _ in round % 3 == 0 ? Double(Int.random(in: 0...2, using: &random)) : Double.random(in: -1...1, using: &random) }
      }
      let found = Assignment.best(values)
      #expect(found.sorted() == Array(0..<n))
      let best = permutations(Array(0..<n)).map { order in order.indices.reduce(0.0) { $0 + values[$1][order[$1]] } }.max()!
      #expect(abs(found.indices.reduce(0.0) { $0 + values[$1][found[$1]] } - best) < 1e-12)
    }
    #expect(Assignment.best([]) == [])
  }

  private func permutations(_ items: [Int]) -> [[Int]] {
    if items.isEmpty { return [[]] }
    return items.flatMap { first in permutations(items.filter { $0 != first }).map { [first] + $0 } }
  }

  @Test func textsOfAMessageAreMatchedWhateverTheirOrder() {
    let truths = ["the cat sat", "a dog ran off", "it rained"]
    #expect(MatchedRouge.matching(truths: truths, guesses: ["it rained", "the cat sat", "a dog ran off"]) == [1, 2, 0])
    // The second guess fits both truths best; the sum decides who gets it.
    #expect(MatchedRouge.matching(truths: ["x y", "x y z"], guesses: ["x", "x y z"]) == [0, 1])
  }

  @Test func withoutAMatchItIsRougeOne() {
    var scored = document("the cat sat", "the dog sat")
    #expect(MatchedRouge().score(scored) == RougeN(order: 1).score(scored))
    scored.matchedGuessText = "the cat sat"
    #expect(MatchedRouge().score(scored) == 1)
  }
}
