package import Kernels

/// What the defense publishes about what it did to a channel (Kerckhoffs: the law is known, the draw is not).
package struct NoiseStatement: Sendable, Hashable, Codable {
  /// How observations come from states, after clipping.
  package enum Law: String, Sendable, Codable, CaseIterable {
    /// As they are.
    case none
    /// Plus N(0, σ²) per coordinate.
    case gaussian
    /// Plus Laplace noise of standard deviation σ per coordinate (scale b = σ/√2).
    case laplace
    /// Rounded to the nearest multiple of `step`.
    case quantized
    /// The `kept` coordinates of largest magnitude of each token; the others are 0.
    case sparsified
    /// The coordinates in a secret order, the same for all rows.
    case permuted
    /// Turned by a secret orthogonal matrix, the same for all rows.
    case rotated

    /// Whether σ is anything but 0.
    package var drawsNoise: Bool { self == .gaussian || self == .laplace }
  }

  /// Name of the defense, `none` without one.
  package var defense: String
  package var law: Law
  /// Standard deviation of the noise per coordinate, in activation units; 0 without noise; nil when withheld from the attacker.
  package var sigma: Double?
  /// Bound on the norm of each token's state before the noise; nil without clipping.
  package var clip: Double?
  /// Of that norm; nil for the usual one of the law, L1 under Laplace noise and otherwise L2.
  package var norm: Norm?
  /// Width of a bin, in activation units; only with `quantized`.
  package var step: Double?
  /// Coordinates kept per token; only with `sparsified`.
  package var kept: Int?
  package enum Norm: String, Sendable, Codable, CaseIterable { case l1, l2 }
  /// Which row of a document is which of its tokens.
  package enum RowOrder: String, Sendable, Codable, CaseIterable {
    /// In another order for each document, drawn at random, that nobody but the client knows.
    case secret
  }

  /// Nil where rows are in the order of the tokens.
  package var order: RowOrder?

  package init(
    defense: String, law: Law, sigma: Double?, clip: Double? = nil, norm: Norm? = nil, step: Double? = nil, kept: Int? = nil,
    order: RowOrder? = nil
  ) {
    (self.defense, self.law, self.clip, self.step, self.kept) = (defense, law, clip, step, kept)
    self.norm = clip == nil || norm == Self.usualNorm(law) ? nil : norm
    self.order = order
    self.sigma = law.drawsNoise ? sigma : sigma ?? 0
  }

  /// The same with σ kept from the attacker, where the law has one.
  package var withheld: NoiseStatement {
    var out = self
    if law.drawsNoise { out.sigma = nil }
    return out
  }

  package static let none = NoiseStatement(defense: "none", law: .none, sigma: 0)
}

extension NoiseStatement {
  /// The clipping of this law alone, without noise, rounding or dropping.
  package var clipping: NoiseStatement { NoiseStatement(defense: defense, law: .none, sigma: 0, clip: clip, norm: clippedNorm) }

  /// In which norm a clip is a bound.
  package var clippedNorm: Norm { norm ?? Self.usualNorm(law) }

  private static func usualNorm(_ law: Law) -> Norm { law == .laplace ? .l1 : .l2 }

  /// The part of the law that draws nothing: clipping, rounding, dropping. What a candidate's state is compared after. `states` [B, C].
  package func deterministic(_ states: Matrix, _ compute: Compute) -> Matrix {
    var out = states
    if let clip {
      if clippedNorm == .l1 { clipRowsL1(&out, bound: Float(clip)) } else { compute.clipRows(&out, bound: Float(clip)) }
    }
    if law == .quantized, let step { for i in out.values.indices { out.values[i] = quantized(out.values[i], step: step) } }
    if law == .sparsified, let kept { for r in 0..<out.rows { sparsify(&out, row: r, kept: kept) } }
    return out
  }

  /// Gradient of a state before the clip, in place of that after it, both [C]: with s = bound / ‖x‖ where that is below 1,
  ///
  ///     ∂/∂x = s (g − n (x·g) / ‖x‖),   n the gradient of the norm: x / ‖x‖₂ or sign x
  package func backThroughClip(_ gradient: inout [Float], state x: ArraySlice<Float>) {
    guard let clip else { return }
    let size = clippedNorm == .l1 ? x.reduce(0) { $0 + abs($1) } : x.reduce(0) { $0 + $1 * $1 }.squareRoot()
    guard size > Float(clip) else { return }
    let along = zip(x, gradient).reduce(0) { $0 + $1.0 * $1.1 } / size
    let scale = Float(clip) / size
    for (c, value) in x.enumerated() {
      let normal = clippedNorm == .l1 ? (value > 0 ? 1 : value < 0 ? -1 : 0) : value / size
      gradient[c] = scale * (gradient[c] - normal * along)
    }
  }

  /// What would be observed of `states` [B, C]: the defense itself, with fresh noise. The adaptive attacker trains and tunes on this.
  /// - Parameters:
  ///   - sigma: overrides the stated deviation; needed when it is withheld.
  ///   - random: noise is a function of it, of the row's sequence and position, and of the channel.
  package func observed(
    _ states: Matrix, sequences: [UInt64], positions: [Int], sigma: Double? = nil, random: CounterRandom, _ compute: Compute
  ) -> Matrix {
    var out = deterministic(states, compute)
    let deviation = sigma ?? self.sigma ?? 0
    guard deviation > 0, law.drawsNoise || sigma != nil else { return out }
    for r in 0..<out.rows {
      let item = sequences[r] << 32 | UInt64(positions[r])
      let draws = law == .laplace ? random.laplace(item: item, count: out.columns) : random.normals(item: item, count: out.columns)
      for (c, draw) in draws.enumerated() { out.values[r * out.columns + c] += Float(deviation * draw) }
    }
    return out
  }
}

/// `value` rounded to the nearest multiple of `step`, halves away from zero.
private func quantized(_ value: Float, step: Double) -> Float { Float((Double(value) / step).rounded() * step) }

private func clipRowsL1(_ x: inout Matrix, bound: Float) {
  for r in 0..<x.rows {
    let norm = x[row: r].reduce(0) { $0 + abs($1) }
    guard norm > bound else { continue }
    for c in 0..<x.columns { x.values[r * x.columns + c] *= bound / norm }
  }
}

private func sparsify(_ x: inout Matrix, row: Int, kept: Int) {
  guard kept < x.columns else { return }
  let order = (0..<x.columns).sorted { a, b in
    let (x, y) = (abs(x[row, a]), abs(x[row, b]))
    return x == y ? a < b : x > y
  }
  for c in order.dropFirst(kept) { x[row, c] = 0 }
}
