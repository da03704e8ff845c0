import Audit
import Kernels
import SplitLearning

/// A defense that is its published law: `NoiseStatement.observed` with the client's own draws.
struct LawProtector: StateProtector {
  private let statement: NoiseStatement
  private let random: CounterRandom

  init(_ statement: NoiseStatement, seed: UInt64) {
    (self.statement, random) = (statement, CounterRandom(seed: seed, stream: "noise/input-cut"))
  }

  func protect(_ states: Matrix, sequences: [UInt64], positions: [Int]) -> Matrix {
    statement.observed(states, sequences: sequences, positions: positions, random: random, Compute(threads: 1))
  }
}
