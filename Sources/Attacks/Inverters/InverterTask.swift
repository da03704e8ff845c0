package import Audit
import Foundation
import Kernels
import SplitLearning

/// What an inverter is to learn: which cut, which defense, what it is shown.
package struct InverterTask: Sendable, Hashable {
  /// What the attacker sees of a document.
  package enum Pooling: String, Sendable, CaseIterable, Codable {
    /// The state of every position.
    case none
    /// The mean of all states.
    case mean
    /// The state of the last position.
    case last
  }

  package var inputBlocks: Int
  package var noise: NoiseStatement
  /// Deviation s that noise factors are multiples of, activation units; 0 for defenses without noise.
  package var sigma: Double
  package var pooling: Pooling
  /// For the control: labels are dealt out anew, so that states tell nothing about them.
  package var isShuffled: Bool

  package init(inputBlocks: Int, noise: NoiseStatement, sigma: Double, pooling: Pooling = .none, isShuffled: Bool = false) {
    (self.inputBlocks, self.noise, self.sigma) = (inputBlocks, noise, sigma)
    (self.pooling, self.isShuffled) = (pooling, isShuffled)
  }

  /// The task that `view` poses. Where σ is withheld, s is estimated from the view, or taken as the root mean square of clean states.
  package init(_ view: AdversaryView, _ means: AttackerMeans, estimatingSigma: Bool, pooling: Pooling = .none, isShuffled: Bool = false) {
    let noise = view.observations[.inputHiddenStates]?.noise ?? .none
    var sigma = noise.law.drawsNoise ? noise.sigma ?? 0 : 0
    if noise.law.drawsNoise, noise.sigma == nil { sigma = WithheldNoise.sigma(view, means, estimating: estimatingSigma) }
    self.init(inputBlocks: view.partition.input, noise: noise, sigma: sigma, pooling: pooling, isShuffled: isShuffled)
  }
}

/// The size of withheld noise, to two digits, for training: sequential matching has a finer estimate (`NoiseEstimate`).
enum WithheldNoise {
  /// Passages of public text that clean second moments are taken from.
  private static let passages = 64

  /// By second moments: the median over channels of var(observed) − var(clean on public text), first positions aside, is σ². The result is
  /// rounded to two digits, so that views of one defense ask for one inverter.
  /// - Parameter estimating: false gives the root mean square of clean states, noise as strong as the signal, whatever was observed.
  static func sigma(_ view: AdversaryView, _ means: AttackerMeans, estimating: Bool) -> Double {
    let rehearsed = means.rehearsal(like: view, passages: 0..<passages, sigma: 0, stream: "noise-estimate")
    let clean = rehearsed.view
    guard let known = clean.observations[.inputHiddenStates], let seen = view.observations[.inputHiddenStates] else { return 0 }
    let signal = variances(known.values, clean)
    if !estimating {
      let squares = laterRows(known.values, clean).values.reduce(0.0) { $0 + Double($1) * Double($1) }
      return rounded((squares / Double(max(1, known.values.columns * (clean.tokens - clean.documents)))).squareRoot())
    }
    let excess = zip(variances(seen.values, view), signal).map { $0 - $1 }.sorted()
    guard !excess.isEmpty else { return 0 }
    return rounded(max(0, excess[excess.count / 2]).squareRoot())
  }

  private static func laterRows(_ x: Matrix, _ view: AdversaryView) -> Matrix {
    let firsts = Set(view.offsets.dropLast())
    let rows = (0..<x.rows).filter { !firsts.contains($0) }
    return Matrix(rows: rows.count, columns: x.columns, values: rows.flatMap { x[row: $0] })
  }

  /// Variance of each channel.
  private static func variances(_ x: Matrix, _ view: AdversaryView) -> [Double] {
    let later = laterRows(x, view)
    let mean = columnMeans(later)
    var out = [Double](repeating: 0, count: x.columns)
    for r in 0..<later.rows { for (c, value) in later[row: r].enumerated() { out[c] += Double(value - mean[c]) * Double(value - mean[c]) } }
    return out.map { $0 / Double(max(1, later.rows)) }
  }

  private static func rounded(_ x: Double) -> Double {
    guard x > 0 else { return 0 }
    let unit = pow(10, (log10(x)).rounded(.down) - 1)
    return (x / unit).rounded() * unit
  }
}
