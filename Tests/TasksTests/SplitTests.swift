import Diagnostics
import Tasks
import Testing

@Suite struct SplitTests {
  let examples = madeUp((0..<400).map { $0 % 3 })

  @Test func theSplitIsSeededAndKeepsSourcesWhole() throws {
    let split = try TaskSplit(examples, validation: 0.25, seed: 5)
    #expect(split.validation.count == 100 && split.train.count == 300)
    #expect(Set(split.train + split.validation) == Set(examples))
    #expect(Set(split.train.map(\.source)).isDisjoint(with: split.validation.map(\.source)))
    #expect(try TaskSplit(examples, validation: 0.25, seed: 5) == split)
    #expect(try TaskSplit(examples, validation: 0.25, seed: 6) != split)
    #expect(split.train.map(\.id) != split.train.map(\.id).sorted { (Int($0) ?? 0) < (Int($1) ?? 0) })
  }

  @Test func splitsThatCannotBeAreFaults() {
    for share in [0, 1, -1, Double.nan] { #expect(throws: Fault.self) { try TaskSplit(examples, validation: share, seed: 1) } }
    #expect(throws: Fault.self) { try TaskSplit([], validation: 0.5, seed: 1) }
    #expect(throws: Fault.self) { try TaskSplit(madeUp([0, 1, 0]), validation: 0.5, seed: 1) }
  }

  @Test func shardsCoverEveryExampleOnce() throws {
    for (clients, alpha) in [(1, 0.5), (4, 1), (8, 100), (3, 1e6), (7, 3)] {
      let shards = try TaskSplit.dirichletShards(examples, clients: clients, alpha: alpha, seed: 9)
      #expect(shards.count == clients && shards.allSatisfy { !$0.isEmpty })
      #expect(shards.joined().map { Int($0.id) ?? -1 }.sorted() == Array(0..<400))
      #expect(try TaskSplit.dirichletShards(examples, clients: clients, alpha: alpha, seed: 9) == shards)
      #expect(try TaskSplit.dirichletShards(examples, clients: clients, alpha: alpha, seed: 10) != shards)
    }
  }

  /// Var of one client's share of a label is (1/k)(1 - 1/k)/(k·alpha + 1), here with k = 4 clients.
  @Test func alphaIsTheConcentration() throws {
    for alpha in [1.0, 4, 50] {
      var (sum, squares, draws) = (0.0, 0.0, 0.0)
      for seed in 0..<400 {
        guard let shards = try? TaskSplit.dirichletShards(examples, clients: 4, alpha: alpha, seed: UInt64(seed) &* 7919) else { continue }
        for label in 0..<3 {
          let total = Double(examples.filter { $0.label == label }.count)
          let share = Double(shards[0].filter { $0.label == label }.count) / total
          (sum, squares, draws) = (sum + share, squares + share * share, draws + 1)
        }
      }
      let variance = squares / draws - (sum / draws) * (sum / draws)
      #expect(abs(sum / draws - 0.25) < 0.02)
      #expect(abs(variance / (0.1875 / (4 * alpha + 1)) - 1) < 0.2)
    }
  }

  @Test func emptyShardsAndBadNumbersAreFaults() {
    let fault = #expect(throws: Fault.self) { try TaskSplit.dirichletShards(examples, clients: 50, alpha: 1e-3, seed: 1) }
    #expect(fault?.code == .invalidData && fault?.message.contains("would have no example") == true)
    for (clients, alpha) in [(0, 1.0), (-1, 1), (401, 1), (2, 0), (2, -1), (2, .infinity), (2, .nan)] {
      #expect(throws: Fault.self) { try TaskSplit.dirichletShards(examples, clients: clients, alpha: alpha, seed: 1) }
    }
    #expect(throws: Fault.self) { try TaskSplit.dirichletShards([], clients: 1, alpha: 1, seed: 1) }
  }
}
