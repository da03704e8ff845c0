package import Audit
import Kernels
package import Privacy
import SplitLearning

/// Positions and channels both in a secret order: `sequence-permutation` and `permutation` together.
package struct FactorizedPermutation: Defense {
  package static let description = MethodDescription(
    name: "factorized-permutation",
    summary: "the states of a document are sent in a secret order, and the channels of all states in another",
    paper: "the factorised two-dimensional permutation of Thomas et al. 2025",
    deviations: "one order of the channels for all documents; the server is emulated as for sequence-permutation",
    cost: "that of a protocol for attention, not emulated", knowledge: .k0, channels: [.inputHiddenStates])
  package static let takesNoise = false
  package static let rules: [String: SettingRule] = [:]

  package init(_ plan: DefensePlan) throws {}

  package func prepared(for statistics: StateStatistics, seed: UInt64) throws -> PreparedDefense {
    PreparedDefense(
      secret: SecretOrder(
        CounterRandom(seed: seed, stream: "defense/sequence-permutation"),
        channels: PermutedBasis(channels: statistics.channels, CounterRandom(seed: seed, stream: "defense/permutation"))),
      NoiseStatement(defense: Self.description.name, law: .permuted, sigma: 0, order: .secret),
      unit: "secret order")
  }
}
