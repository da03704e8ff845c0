package import Audit
import Checkpoints
import Foundation
package import Kernels
import Llama
import SplitLearning

/// How badly states explain what was observed at the cut, in nats, and the gradient: the loss of all optimisation attacks.
///
///     L = Σ_t Σ_c ½ r² / (σ_t² + γ s_t v_c)
///
/// r is the residual after the deterministic part of the defense, σ_t the noise (at least a thousandth of the row's RMS: storage and rounding),
/// v_c the variance of a state's channel over public text, s_t how much larger this row is than the typical one (first positions are a hundred
/// times as large), γ the softening. At γ = 0 this is the exact negative log-likelihood under Gaussian noise; at γ = 1 every channel and row
/// counts alike, which makes the problem far better conditioned than the papers' plain ‖F(X) − y‖². The loop lowers γ.
package struct CutLoss: Sendable {
  /// y [N, C].
  package let observed: Matrix
  private let noise: NoiseStatement
  /// σ_t² and s_t, [N]; v_c, [C].
  private let floors: [Float]
  private let scales: [Float]
  private let variance: [Float]
  /// Smallest magnitude that was kept of each row; only under `sparsified`.
  private let thresholds: [Float]

  /// Share of a row's RMS that storage and rounding may add to any state.
  static let rounding: Float = 1e-3

  /// - Parameters:
  ///   - sigma: deviation of the noise per coordinate, activation units; replaces a stated or withheld one.
  ///   - variance: v_c, [C].
  package init(_ observed: Matrix, _ noise: NoiseStatement, sigma: Double, variance: [Float]) {
    precondition(variance.count == observed.columns, "\(variance.count) variances for rows of \(observed.columns)")
    (self.observed, self.noise, self.variance) = (observed, noise, variance)
    let squares = (0..<observed.rows).map { r in observed[row: r].reduce(0) { $0 + $1 * $1 } / Float(max(1, observed.columns)) }
    let typical = max(squares.sorted()[safe: squares.count / 2] ?? 1, 1e-20)
    // Rounding to multiples of a step adds what uniform noise of that width would.
    let law = Float(noise.law == .quantized ? pow(noise.step ?? 0, 2) / 12 : sigma * sigma)
    floors = squares.map { max(law, Self.rounding * Self.rounding * $0, 1e-20) }
    scales = squares.map { max(1, $0 / typical) }
    thresholds =
      noise.law == .sparsified
      ? (0..<observed.rows).map { r in observed[row: r].reduce(Float.infinity) { $1 == 0 ? $0 : min($0, abs($1)) } } : []
  }

  package struct Value: Sendable {
    /// L.
    package var nats: Double
    /// Mean of r²/σ_t²: 1 where the truth is expected, below where the noise itself is being fitted.
    package var excess: Double
    /// ∂L/∂states [N, C].
    package var gradient: Matrix
  }

  /// - Parameters:
  ///   - states: F_p(X), [N, C], before the defense.
  ///   - softening: γ.
  package func evaluate(_ states: Matrix, softening: Float, _ compute: Compute) -> Value {
    precondition(states.rows == observed.rows && states.columns == observed.columns, "states [\(states.rows), \(states.columns)]")
    let columns = states.columns
    var sums: [Float] = []
    let gradient = Matrix(rows: states.rows, columns: columns) { out in
      // nats and excess of every row, two values each.
      sums = .filled(2 * states.rows) { sums in
        compute.parallel(over: states.rows, grain: 16) { rows in
          for r in rows {
            let (row, nats, excess) = evaluate(row: r, states[row: r], softening)
            for c in 0..<columns { out[r * columns + c] = row[c] }
            (sums[2 * r], sums[2 * r + 1]) = (nats, excess)
          }
        }
      }
    }
    let (nats, excess) = (0..<states.rows).reduce((0.0, 0.0)) { ($0.0 + Double(sums[2 * $1]), $0.1 + Double(sums[2 * $1 + 1])) }
    return Value(nats: nats, excess: excess / Double(max(1, states.values.count)), gradient: gradient)
  }

  private func evaluate(row: Int, _ state: ArraySlice<Float>, _ softening: Float) -> (gradient: [Float], nats: Float, excess: Float) {
    let sent = clipped(state)
    let (floor, soft) = (floors[row], softening * scales[row])
    let y = observed[row: row]
    var gradient = [Float](repeating: 0, count: sent.count)
    var (nats, excess): (Float, Float) = (0, 0)
    let threshold = thresholds.isEmpty ? 0 : thresholds[row]
    for (c, (x, target)) in zip(sent, y).enumerated() {
      var residual = x - target
      // A dropped coordinate says only that it was smaller than those that were kept.
      if threshold > 0 && target == 0 { residual = x < 0 ? min(0, x + threshold) : max(0, x - threshold) }
      let spread = floor + soft * variance[c]
      if noise.law == .laplace {
        // √(b² + r²)/b − 1: Laplace's |r|/b, smooth at 0; b² = spread/2.
        let root = (spread / 2 + residual * residual).squareRoot()
        let b = (spread / 2).squareRoot()
        nats += root / b - 1
        gradient[c] = residual / (b * root)
      } else {
        nats += residual * residual / (2 * spread)
        gradient[c] = residual / spread
      }
      excess += residual * residual / floor
    }
    noise.backThroughClip(&gradient, state: state)
    return (gradient, nats, excess)
  }

  /// x · min(1, bound / ‖x‖).
  private func clipped(_ state: ArraySlice<Float>) -> [Float] {
    guard let clip = noise.clip else { return Array(state) }
    let norm = noise.clippedNorm == .l1 ? state.reduce(0) { $0 + abs($1) } : state.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return norm > Float(clip) ? state.map { $0 * Float(clip) / norm } : Array(state)
  }
}

/// Variance of every channel of the clean states at a cut over the later positions of public text: the unit in which channels are comparable.
enum ChannelVariance {
  /// [C], ones without public text. At most 64 passages; made once per run.
  static func at(_ inputBlocks: Int, _ means: AttackerMeans) -> [Float] {
    means.memory.table("channel-variance/\(inputBlocks)") {
      let passages = Array(means.auxiliary.prefix(64))
      let states = means.states(of: passages, inputBlocks: inputBlocks)
      let firsts = Set(passages.reduce(into: [0]) { $0.append($0.last! + $1.count) })
      let rows = (0..<states.rows).filter { !firsts.contains($0) }
      guard rows.count > 1 else { return [Float](repeating: 1, count: means.model.configuration.hiddenSize) }
      return (0..<states.columns).map { c in
        let mean = rows.reduce(0.0) { $0 + Double(states[$1, c]) } / Double(rows.count)
        let square = rows.reduce(0.0) { $0 + pow(Double(states[$1, c]) - mean, 2) } / Double(rows.count)
        return max(1e-8, Float(square))
      }
    }
  }
}

extension Array {
  subscript(safe index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}
