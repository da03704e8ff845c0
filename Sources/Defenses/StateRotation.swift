package import Audit
package import Kernels
package import Privacy
import SplitLearning

/// Every state turned by one secret orthogonal matrix, y = h Q, the same for all states; the server's weights are turned to match (KV-Cloak; rotation
/// of weights as in SliceGPT and QuaRot).
///
/// `permutation` is the special case of a matrix of zeros and ones. Q is uniform over all rotations and reflections, drawn once for a seed.
package struct StateRotation: Defense {
  package static let description = MethodDescription(
    name: "rotation", summary: "every state is turned by a secret orthogonal matrix, and the server's weights turned to match",
    paper: "KV-Cloak, Luo et al. 2025 (a secret basis for all states)",
    deviations: "one matrix for whole states, without KV-Cloak's shuffling of blocks of tokens and its mask",
    cost: "one product of C² a token on the client each way", knowledge: .k0, channels: [.inputHiddenStates])
  package static let takesNoise = false
  package static let rules: [String: SettingRule] = [:]

  package init(_ plan: DefensePlan) throws {}

  package func prepared(for statistics: StateStatistics, seed: UInt64) throws -> PreparedDefense {
    PreparedDefense(
      secret: RotatedBasis(channels: statistics.channels, CounterRandom(seed: seed, stream: "defense/rotation")),
      NoiseStatement(defense: Self.description.name, law: .rotated, sigma: 0),
      unit: "secret rotation")
  }
}

/// y = h Q and back, products in f32.
package struct RotatedBasis: ChannelBasis {
  private let channels: Int
  /// Q [C, C] and its transpose.
  private let matrix: [Float]
  private let transpose: [Float]
  private let compute = Compute(threads: 1)

  package init(channels n: Int, _ random: CounterRandom) {
    let q = HaarMatrix.drawn(n, random)
    channels = n
    matrix = q.map { Float($0) }
    transpose = (0..<n * n).map { Float(q[$0 % n * n + $0 / n]) }
  }

  package func folded(_ states: Matrix) -> Matrix { compute.linear(states, transpose, outputs: channels) }
  package func unfolded(_ states: Matrix) -> Matrix { compute.linear(states, matrix, outputs: channels) }
}
