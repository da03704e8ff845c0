import Audit
import Foundation
import Kernels

/// ln p(observed row | state of a candidate), up to a constant of the row, under the published law:
///
///     gaussian    −‖y − m‖² / 2s²             laplace     −‖y − m‖₁ / b, b = s/√2
///     quantized   −Σ max(0, |y − m| − Δ/2)² / 2s²: 0 inside the bin, and outside it as improbable as the rounding of m makes it
///     sparsified  −‖y − m‖² / 2s² over kept coordinates − Σ max(0, |m| − θ)² / 2s² over dropped ones, θ the smallest magnitude kept
///
/// m is the candidate's state after the same clipping. s is the noise, and at least a thousandth of the row's RMS (storage and rounding).
package struct CandidateLikelihood: Sendable {
  let noise: NoiseStatement
  /// Standard deviation per coordinate: stated, or estimated where it is withheld.
  let sigma: Float
  /// When the weights may differ from the victim's: s is at least what accepted candidates usually leave (profile likelihood), and as long as none
  /// were accepted, what the best candidate leaves.
  var profiles = false
  /// For positions after the first, when it has been fitted: states are compared after it.
  var correction: AffineCorrection?
  /// What of a state was observed, when it is not the state itself.
  var feature: StateFeature?
  /// Standard deviation per coordinate at first positions, where it differs from `sigma`.
  var firstSigma: Float?
  /// When what was observed is known up to a positive factor a row, y = (feature + noise) / r: the factor is profiled,
  /// max over r of −‖r y − feature‖² / 2σ² + F ln r.
  var isScaleFree = false
  /// Distances that true candidates hardly exceed, from `rehearsed`; nil for those of the law's closed form.
  private(set) var limits: (first: Float, later: Float)?

  /// What a distance weighs and up to where it is plausible for the truth.
  package struct Scale: Sendable {
    /// Score = −weight · distance.
    var weight: Float
    /// Standard deviation per coordinate that the weight stands for.
    var deviation: Float
    /// A true candidate's distance is below it but for about one row in 10⁸.
    var limit: Float
    /// The same after `patience` candidates, for residuals with heavy tails.
    var patientLimit: Float
    /// Whether there is no noise: distances are rounding alone, so whatever lies within `limit` is the truth unless two tokens share a state.
    var isClean: Bool
    /// Whether the weights may differ from the victim's.
    var isForeign: Bool

    /// - Parameter deviation: that of a Gaussian of this weight, unless another law is said.
    package init(
      weight: Float, limit: Float, patientLimit: Float? = nil, deviation: Float? = nil, isClean: Bool = false, isForeign: Bool = false
    ) {
      (self.weight, self.limit, self.patientLimit, self.isClean) = (weight, limit, patientLimit ?? limit, isClean)
      self.deviation = deviation ?? (1 / (2 * weight)).squareRoot()
      self.isForeign = isForeign
    }

    static let patience = 2048

    /// What the squared norm of `n` standard normal numbers exceeds about once in 10⁸ draws: its mean n and six of its standard deviations √(2n).
    static func largestSquare<Real: BinaryFloatingPoint>(_ n: Real) -> Real { n + 6 * (2 * n).squareRoot() }
  }

  /// Statistics of the observed rows, computed once: [N, C].
  struct Target: Sendable {
    fileprivate let raw: Matrix
    fileprivate let corrected: Matrix?
    fileprivate let rms: [Float]
  }

  func target(_ observed: Matrix) -> Target {
    let compute = Compute()
    let rms = (0..<observed.rows).map { r in
      (observed[row: r].reduce(0) { $0 + $1 * $1 } / Float(max(1, observed.columns))).squareRoot()
    }
    return Target(raw: observed, corrected: correction.map { $0.whitened(observed, compute) }, rms: rms)
  }

  /// What of candidates' states [B, C] is compared: after the clip, and the feature of it that was observed.
  func compared(_ states: Matrix, _ compute: Compute) -> Matrix {
    let sent = noise.clip == nil ? states : noise.clipping.deterministic(states, compute)
    return feature?.apply(sent, compute) ?? sent
  }

  /// One distance a row of `states`, which `compared` gave, to rows `rows` of the target.
  func distances(_ states: Matrix, _ target: Target, rows: [Int32], isFirst: Bool, _ compute: Compute) -> [Float] {
    if isScaleFree { return scaleFreeDistances(states, target, rows: rows, compute) }
    if let correction, !isFirst, let corrected = target.corrected {
      return compute.squaredDistances(correction.applied(states, compute), to: corrected, target: rows)
    }
    switch noise.law {
    case .none, .gaussian, .permuted, .rotated: return compute.squaredDistances(states, to: target.raw, target: rows)
    case .laplace: return compute.absoluteDistances(states, to: target.raw, target: rows)
    case .quantized: return compute.binDistances(states, to: target.raw, target: rows, half: Float(noise.step ?? 0) / 2)
    case .sparsified: return compute.sparseDistances(states, to: target.raw, target: rows)
    }
  }

  /// ‖r y − m‖² − 2σ²F ln r at the best r, the root of r²‖y‖² − r y·m = F σ².
  private func scaleFreeDistances(_ states: Matrix, _ target: Target, rows: [Int32], _ compute: Compute) -> [Float] {
    let (count, variance) = (Double(states.columns), Double(sigma) * Double(sigma))
    let squares = compute.squaredDistances(states, to: target.raw, target: rows)
    return rows.indices.map { i in
      let own = states[row: i].reduce(0.0) { $0 + Double($1) * Double($1) }
      let seen = max(Double(target.rms[Int(rows[i])]) * Double(target.rms[Int(rows[i])]) * count, 1e-300)
      let inner = (own + seen - Double(squares[i])) / 2
      let r = max((inner + (inner * inner + 4 * seen * count * variance).squareRoot()) / (2 * seen), 1e-12)
      return Float(r * r * seen - 2 * r * inner + own - 2 * variance * count * log(r))
    }
  }

  /// - Parameters:
  ///   - best: the smallest distance known at this position.
  ///   - typical: the usual distance of accepted candidates at later positions, where the weights may be foreign and some were accepted before.
  func scale(_ target: Target, row: Int, isFirst: Bool, best: Float, typical: Float? = nil) -> Scale {
    let width = Float(target.raw.columns)
    let floor = max(target.rms[row] * 1e-3, 1e-12)
    let isWhitened = correction != nil && !isFirst
    let deviation = max(isFirst ? firstSigma ?? sigma : sigma, floor)
    var variance = noise.law == .quantized || noise.law == .sparsified ? floor * floor : deviation * deviation
    // A correction that was rehearsed under the published noise leaves unit variance; one fitted to foreign weights is profiled.
    if isWhitened { variance = profiles ? 0 : 1 }
    if noise.law == .laplace && !isWhitened {
      var b = variance.squareRoot() / Float(2).squareRoot()
      if profiles { b = max(b, (isFirst ? nil : typical) ?? best / width) }
      return Scale(weight: 1 / b, limit: b * (width + 6 * width.squareRoot()), deviation: b * Float(2).squareRoot(), isForeign: profiles)
    }
    guard profiles else {
      let isClean = sigma == 0 && noise.law != .quantized && noise.law != .sparsified && !isWhitened && !isScaleFree
      let limit = limits.map { isFirst ? $0.first : $0.later } ?? variance * Scale.largestSquare(width)
      return Scale(weight: 1 / (2 * variance), limit: limit, isClean: isClean)
    }
    // Residuals of foreign weights have heavier tails than noise: three times the usual square, eight times after many candidates.
    variance = max(variance, (isFirst ? nil : typical) ?? best / width, 1e-24)
    return Scale(weight: 1 / (2 * variance), limit: 3 * variance * width, patientLimit: 8 * variance * width, isForeign: true)
  }

  /// The same likelihood with limits as true rows kept them in a rehearsal on public text, all but one in a thousand (first positions: in a hundred). What
  /// noise has become behind a norm is no noise of one deviation: by the closed form a true candidate may look implausible, and a search that waits for
  /// a better one tries the whole vocabulary.
  /// - Parameters:
  ///   - own, observed: rows of the same text [N, F], as candidates' states are compared, and as they would be observed.
  ///   - firsts: which of them are first positions.
  func rehearsed(_ own: Matrix, _ observed: Matrix, firsts: Set<Int>, _ compute: Compute) -> CandidateLikelihood {
    func limit(_ rows: [Int], isFirst: Bool, share: Double) -> Float? {
      guard !rows.isEmpty else { return nil }
      let target = target(compute.gather(observed, rows: rows[...]))
      let distances = distances(
        compute.gather(own, rows: rows[...]), target, rows: rows.indices.map(Int32.init), isFirst: isFirst, compute
      ).filter(\.isFinite).sorted()
      return distances.isEmpty ? nil : distances[min(distances.count - 1, Int(share * Double(distances.count)))]
    }
    var out = self
    let later = (0..<own.rows).filter { !firsts.contains($0) }
    if let first = limit(firsts.sorted(), isFirst: true, share: 0.99), let later = limit(later, isFirst: false, share: 0.999) {
      out.limits = (first, later)
    }
    return out
  }

  /// Deviation of the observation around the state, for proposals by anchors: of a bin it is Δ/√12.
  var proposalSigma: Double {
    noise.law == .quantized ? (noise.step ?? 0) / 12.0.squareRoot() : Double(sigma)
  }

  /// Whether the distance is Euclidean and uncorrected, which the exhaustive search with bf16 products relies on.
  var isPlainGaussian: Bool {
    (noise.law == .none || noise.law == .gaussian) && (noise.clip == nil || noise.clippedNorm == .l2) && correction == nil && feature == nil
      && !profiles
  }
}
