package import Audit
package import Kernels
package import Privacy
import SplitLearning

/// The positions of every document in a secret order, another one for each.
///
/// A server that computes attention itself must be told which row is which position, for the causal mask and the rotary embedding, so this defense
/// exists only inside protocols that keep attention secret-shared and hand out permuted rows for the rest (PermLLM). What crosses is emulated; what
/// such a protocol costs is not.
package struct SequencePermutation: Defense {
  package static let description = MethodDescription(
    name: "sequence-permutation", summary: "the states of a document are sent in a secret order, another one for each document",
    paper: "PermLLM (2024), as attacked by Thomas et al. 2025",
    deviations: "the server's attention is emulated in the plain order; in a split it could not be computed without telling that order",
    cost: "that of a protocol for attention, not emulated", knowledge: .k0, channels: [.inputHiddenStates])
  package static let takesNoise = false
  package static let rules: [String: SettingRule] = [:]

  package init(_ plan: DefensePlan) throws {}

  package func prepared(for statistics: StateStatistics, seed: UInt64) throws -> PreparedDefense {
    PreparedDefense(
      secret: SecretOrder(CounterRandom(seed: seed, stream: "defense/sequence-permutation")),
      NoiseStatement(defense: Self.description.name, law: .none, sigma: 0, order: .secret),
      unit: "secret order")
  }
}

/// Row i of a folded document is row `order[i]` of the plain one; the order is a function of the seed, the sequence, and how many rows come together.
package struct SecretOrder: SecretBasis {
  private let random: CounterRandom
  /// What is done to the channels as well; nil for nothing.
  private let channels: PermutedBasis?

  init(_ random: CounterRandom, channels: PermutedBasis? = nil) { (self.random, self.channels) = (random, channels) }

  package func folded(_ states: Matrix, sequences: [UInt64]) -> Matrix {
    var out = states
    for (rows, order) in orders(sequences) { for (i, from) in order.enumerated() { out[row: rows + i] = states[row: rows + from] } }
    return channels?.folded(out) ?? out
  }

  package func unfolded(_ states: Matrix, sequences: [UInt64]) -> Matrix {
    let inner = channels?.unfolded(states) ?? states
    var out = inner
    for (rows, order) in orders(sequences) { for (i, to) in order.enumerated() { out[row: rows + to] = inner[row: rows + i] } }
    return out
  }

  /// First row and order of each sequence.
  private func orders(_ sequences: [UInt64]) -> [(first: Int, order: [Int])] {
    var out: [(Int, [Int])] = []
    var first = 0
    while first < sequences.count {
      let end = sequences[first...].firstIndex { $0 != sequences[first] } ?? sequences.count
      var generator = random.generator(item: sequences[first])
      out.append((first, Array(0..<end - first).shuffled(using: &generator)))
      first = end
    }
    return out
  }
}
