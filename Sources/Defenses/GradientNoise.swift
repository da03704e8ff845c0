package import Audit
import Foundation
package import Kernels
import Privacy
import SplitLearning

/// What a client does to ∂L/∂h_B before it sends it: the gradient of each text is clipped as a whole, then gets Gaussian noise on every coordinate.
/// FedSEA-LLaMA's released option (clip 0.04, mean|ε| 0.02), which it drives by the same knob as the noise on h_A; here it is its own.
package struct GradientNoise: StateProtector {
  private let clip: Double
  private let sigma: Double
  private let random: CounterRandom

  package init(_ plan: GradientDefensePlan, seed: UInt64) {
    (clip, sigma, random) = (plan.clip, plan.sigma, CounterRandom(seed: seed, stream: "noise/output-cut-gradient"))
  }

  /// Rows of one sequence are one gradient. Randomness: a function of seed, sequence, position and channel.
  package func protect(_ states: Matrix, sequences: [UInt64], positions: [Int]) -> Matrix {
    var out = states
    for rows in Dictionary(grouping: 0..<states.rows, by: { sequences[$0] }).values {
      let squares = rows.reduce(0.0) { $0 + states[row: $1].reduce(0.0) { $0 + Double($1) * Double($1) } }
      let factor = Float(min(1, clip / max(squares.squareRoot(), .leastNormalMagnitude)))
      for r in rows {
        let draws = sigma > 0 ? random.normals(item: sequences[r] << 32 | UInt64(positions[r]), count: out.columns) : []
        for c in 0..<out.columns {
          out.values[r * out.columns + c] = states[r, c] * factor + (sigma > 0 ? Float(sigma * draws[c]) : 0)
        }
      }
    }
    return out
  }

  /// What an attacker may know of it: the noise per coordinate, and the bound on the norm of one text's whole gradient.
  package static func law(_ plan: GradientDefensePlan) -> NoiseStatement {
    NoiseStatement(defense: "gradient-noise", law: plan.sigma > 0 ? .gaussian : .none, sigma: plan.sigma, clip: plan.clip)
  }

  /// What the noise guarantees: one text replaced by another (sensitivity 2 · clip), released `releases` times. ε is missing without noise.
  package static func statement(_ plan: GradientDefensePlan, releases: Int) throws -> [String: SettingValue] {
    var units: [String: SettingValue] = [
      "clip": .number(plan.clip), "sigma": .number(plan.sigma), "mean_abs": .number(plan.sigma * (2 / Double.pi).squareRoot()),
      "unit": .string("one text, substitution"), "releases": .number(Double(releases)),
    ]
    if plan.sigma > 0, releases > 0 {
      let one = try GaussianMechanism(sigma: plan.sigma, sensitivity: 2 * plan.clip)
      units["delta"] = .number(plan.delta)
      units["epsilon_per_release"] = .number(try one.epsilon(delta: plan.delta))
      units["epsilon"] = .number(try one.composed(releases).epsilon(delta: plan.delta))
    }
    return units
  }
}
