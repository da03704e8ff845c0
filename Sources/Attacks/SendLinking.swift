package import Audit
import Foundation
package import Kernels
import Llama
import SplitLearning

/// Which sends are of one text: a likelihood ratio for every pair of equal length, then average linkage.
///
/// Two sends of one text differ by noise alone, d ~ N(0, 2σ²) in every coordinate; sends of different texts by their states too. In the principal axes of
/// public text, where the states' variance is λ_k, that is d ~ N(0, 2σ² + 2λ_k), so
///
///     L = Σ_t Σ_k ½ ln(1 + λ_k/σ²) − w_k d²/4σ²,    w_k = λ_k/(σ² + λ_k)
///
/// which weighs the axes that texts differ along, and not the many that hold noise alone: at noise several times the states' size this tells texts apart
/// where the plain distance does not. First positions, which are of another kind, have variances of their own. L is bounded by what a test of the noise
/// alone allows, (θ² − z²)/2 with z the deviations by which Σ w d²/2σ² exceeds its mean, so that near-duplicates are kept apart.
///
/// Groups are merged as long as the mean L between their members outweighs that a send's partner is one of all others, the best first.
package struct SendLinking {
  /// What the variances λ of one kind of position come to, the same for every pair.
  private struct Axes {
    /// w [C].
    let weights: [Double]
    /// Σ ½ ln(1 + λ/σ²), Σ w, and 2 Σ w²: the mean and the variance of Σ w d²/2σ² under noise alone.
    let gain: Double
    let mean: Double
    let spread: Double

    init(_ variances: [Double], sigma: Double) {
      let noise = sigma * sigma
      weights = variances.map { $0 / (noise + $0) }
      gain = variances.reduce(0) { $0 + log1p($1 / noise) / 2 }
      mean = weights.reduce(0, +)
      spread = weights.reduce(0) { $0 + 2 * $1 * $1 }
    }
  }

  /// Of later positions along principal axes, the axes [C, C] as rows (nil: the channels), and of first positions by channel.
  private let later: Axes
  private let axes: Matrix?
  private let first: Axes
  private let sigma: Double
  /// θ
  private let threshold: Double
  private let compute: Compute

  /// Public passages that variances are measured on, at most.
  private static let passages = 192

  /// - Parameters:
  ///   - observed: [N, C], C the model's hidden size.
  ///   - noise: what the client publishes; states are compared as its clip or rounding leaves them.
  ///   - sigma: of the noise, activation units.
  package init(_ observed: Matrix, _ noise: NoiseStatement, sigma: Double, threshold: Double, inputBlocks: Int, _ means: AttackerMeans) {
    compute = means.model.compute
    self.threshold = threshold
    // Rounding of stored states stands for noise where there is none.
    let power = observed.values.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(max(1, observed.values.count))
    let floor = max(power * 1e-8, 1e-24).squareRoot()
    self.sigma = max(sigma, floor)
    let texts = means.auxiliary.prefix(Self.passages).filter { $0.count > 1 }
    let states = noise.deterministic(means.states(of: Array(texts), inputBlocks: inputBlocks), compute)
    let width = observed.columns
    guard states.rows > 0, states.values.allSatisfy({ $0.magnitude < 1e15 }) else {
      // Nothing is known of texts: all axes alike, and as much variance as is seen beyond the noise.
      let spread = [Double](repeating: max(power - sigma * sigma, floor * floor), count: width)
      later = Axes(spread, sigma: self.sigma)
      (axes, first) = (nil, later)
      return
    }
    let starts = Set(PackedBatch(lengths: texts.map(\.count)).offsets.dropLast())
    var all = Covariance(width)
    all.add(compute.gather(states, rows: (0..<states.rows).filter { !starts.contains($0) }[...]), compute)
    let (values, vectors) = compute.symmetricEigen(Matrix(rows: width, columns: width, values: all.matrix(ridge: 0).map { Float($0) }))
    (later, axes) = (Axes(values.map { max(0, Double($0)) }, sigma: self.sigma), vectors)
    var own = Covariance(width)
    own.add(compute.gather(states, rows: starts.sorted()[...]), compute)
    let square = own.matrix(ridge: 0)
    first = Axes((0..<width).map { max(0, square[$0 * width + $0]) }, sigma: self.sigma)
  }

  /// Sends that are of one text: lists of documents, in order of their first.
  package func groups(_ view: AdversaryView, _ observed: Matrix) -> [[Int]] {
    let turned = axes.map { compute.product(observed, $0, transposeB: true) } ?? observed
    return Dictionary(grouping: 0..<view.documents) { view.range(of: $0).count }
      .flatMap { length, documents in merged(documents.sorted()) { ratio(view.range(of: $0), view.range(of: $1), observed, turned) } }
      .sorted { $0[0] < $1[0] }
  }

  /// L of two documents of equal length, nats; bounded, and 0 for empty ones.
  private func ratio(_ a: Range<Int>, _ b: Range<Int>, _ observed: Matrix, _ turned: Matrix) -> Double {
    var (ratio, excess, spread) = (0.0, 0.0, 0.0)
    for t in 0..<a.count {
      let x = t == 0 ? observed : turned
      let axes = t == 0 ? first : later
      let (p, q) = ((a.lowerBound + t) * x.columns, (b.lowerBound + t) * x.columns)
      // Σ w d² / 2σ²
      var square = 0.0
      for (c, weight) in axes.weights.enumerated() {
        let d = Double(x.values[p + c] - x.values[q + c])
        square += weight * d * d
      }
      square /= 2 * sigma * sigma
      ratio += axes.gain - square / 2
      excess += square - axes.mean
      spread += axes.spread
    }
    guard spread > 0 else { return 0 }
    let z = max(0, excess / spread.squareRoot())
    return min(ratio, (threshold * threshold - z * z) / 2)
  }

  /// Average linkage: the two groups whose members have the highest mean ratio become one as long as that outweighs the prior odds, one in n − 1.
  private func merged(_ documents: [Int], _ ratio: (Int, Int) -> Double) -> [[Int]] {
    let n = documents.count
    let prior = log(Double(max(1, n - 1)))
    var groups = documents.map { [$0] }
    // Sums over pairs of members.
    var sums = [[Double]](repeating: [Double](repeating: 0, count: n), count: n)
    for i in 0..<n {
      for j in 0..<i {
        sums[i][j] = ratio(documents[i], documents[j])
        sums[j][i] = sums[i][j]
      }
    }
    var alive = Set(0..<n)
    func mean(_ i: Int, _ j: Int) -> Double { sums[i][j] / Double(groups[i].count * groups[j].count) }
    func partner(_ i: Int) -> (group: Int, mean: Double)? {
      alive.sorted().filter { $0 != i }.map { ($0, mean(i, $0)) }.max { $0.1 < $1.1 }
    }
    var best = (0..<n).map(partner)
    while let i = alive.sorted().max(by: { best[$0]?.mean ?? -.infinity < best[$1]?.mean ?? -.infinity }), let (j, value) = best[i],
      value > prior
    {
      groups[i] += groups[j]
      alive.remove(j)
      for k in alive where k != i {
        sums[i][k] += sums[j][k]
        sums[k][i] = sums[i][k]
      }
      best[i] = partner(i)
      for k in alive where k != i {
        if best[k]?.group == i || best[k]?.group == j {
          best[k] = partner(k)
        } else if mean(k, i) > best[k]?.mean ?? -.infinity {
          best[k] = (i, mean(k, i))
        }
      }
    }
    return alive.map { groups[$0].sorted() }
  }
}
