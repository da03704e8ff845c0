import Attacks
import Testing

/// In which order one position's candidates are tried, and when a search ends.
@Suite struct SequentialSearchTests {
  private let size = 200

  /// Proposals that favour low tokens, a prior that favours high ones.
  private func search(isInformed: Bool = true) -> SequentialSearch {
    SequentialSearch(
      prior: (0..<size).map { Float($0) }, proposal: (0..<size).map { -Float($0) }, proposalMass: 0, isInformed: isInformed)
  }

  @Test func proposalsComeFirstThenInTurnWithThePrior() {
    var search = search()
    let first = search.next(8)
    #expect(first == Array(0..<8))
    search.add(first.map { ($0, 1) })
    let second = search.next(24)
    #expect(second == Array(8..<32), "the first 32 are the proposals' alone")
    search.add(second.map { ($0, 1) })
    #expect(search.next(6) == [32, 199, 33, 198, 34, 197])
  }

  @Test func everyTokenIsTriedOnce() {
    var search = search()
    var all: [Int32] = []
    for count in [8, 24, 96, 384] {
      let next = search.next(count)
      search.add(next.map { ($0, 1) })
      all += next
    }
    #expect(all.count == size && Set(all).count == size)
    #expect(search.next(10).isEmpty)
  }

  @Test func withoutAnchorsThePriorIsNotMixedIn() {
    var search = search(isInformed: false)
    search.add(search.next(40).map { ($0, 1) })
    #expect(search.next(3) == [40, 41, 42])
  }

  @Test func newRankingsLeaveOutWhatWasTried() {
    var search = search()
    search.add(search.next(8).map { ($0, 1) })
    search.refined = (0..<size).map { $0 < 12 ? 100 - Float($0) : -Float(abs($0 - 150)) }
    #expect(search.next(6) == [8, 9, 10, 11, 150, 149])
  }

  /// The eight nearest candidates' residuals are kept, nearest first, and are made only for those.
  @Test func residualsAreThoseOfTheNearest() {
    var search = search()
    var made = 0
    func residual(_ value: Float) -> [Float] {
      made += 1
      return [value]
    }
    for distance in [5, 9, 1, 7, 3, 8, 2, 6, 4, 20, 0.5, 30] as [Float] { search.add(residual: residual(distance), distance: distance) }
    #expect(search.residuals.map(\.distance) == [0.5, 1, 2, 3, 4, 5, 6, 7])
    #expect(search.residuals.map(\.values) == [0.5, 1, 2, 3, 4, 5, 6, 7].map { [$0] })
    #expect(made == 10)
  }

  /// A clean state ends its search at a candidate within rounding whose rivals are far off, and not at one that only looks best.
  @Test func cleanSearchesEndAtTheExactCandidate() {
    var search = SequentialSearch(
      prior: [Float](repeating: -5, count: size), proposal: [Float](repeating: -5, count: size), proposalMass: 0.3, isInformed: true)
    let scale = CandidateLikelihood.Scale(weight: 100, limit: 1, isClean: true)
    search.add([(3, 400), (4, 900)])
    search.weigh(scale)
    #expect(!search.isSettled(share: 1e-3))
    search.add([(7, 0.2)])
    search.weigh(scale)
    #expect(search.isSettled(share: 1e-3))
    search.add([(8, 10)])
    search.weigh(scale)
    #expect(!search.isSettled(share: 1e-3), "a rival within sixteen limits leaves it open")
  }
}
