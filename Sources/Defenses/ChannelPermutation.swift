package import Audit
package import Kernels
package import Privacy
import SplitLearning

/// The channels of every state in a secret order, the same for all states; the server's weights are permuted to match (STIP, PermLLM, Centaur).
package struct ChannelPermutation: Defense {
  package static let description = MethodDescription(
    name: "permutation", summary: "the channels of every state are sent in a secret order, and the server's weights permuted to match",
    paper: "STIP (2023); PermLLM (2024); Centaur (2024)", cost: "none at run time", knowledge: .k0, channels: [.inputHiddenStates])
  package static let takesNoise = false
  package static let rules: [String: SettingRule] = [:]

  package init(_ plan: DefensePlan) throws {}

  package func prepared(for statistics: StateStatistics, seed: UInt64) throws -> PreparedDefense {
    PreparedDefense(
      secret: PermutedBasis(channels: statistics.channels, CounterRandom(seed: seed, stream: "defense/permutation")),
      NoiseStatement(defense: Self.description.name, law: .permuted, sigma: 0),
      unit: "secret order")
  }
}

/// Column c of a folded state is column `order[c]` of the plain one.
package struct PermutedBasis: ChannelBasis {
  private let order: [Int]

  init(channels: Int, _ random: CounterRandom) {
    var generator = random.generator()
    order = Array(0..<channels).shuffled(using: &generator)
  }

  package func folded(_ states: Matrix) -> Matrix {
    var out = states
    for r in 0..<states.rows { for c in order.indices { out[r, c] = states[r, order[c]] } }
    return out
  }

  package func unfolded(_ states: Matrix) -> Matrix {
    var out = states
    for r in 0..<states.rows { for c in order.indices { out[r, order[c]] = states[r, c] } }
    return out
  }
}
