import Foundation

/// The Rényi account of a Gaussian mechanism: a second, looser road to ε that must never come out below the exact one.
extension GaussianMechanism {
  /// Rényi divergence of order `order` > 1, in nats: order·mu²/2 (Mironov 2017).
  package func renyiDivergence(order: Double) -> Double {
    precondition(order > 1, "the Rényi order must exceed 1, got \(order)")
    return order * mu * mu / 2
  }

  /// ε at δ through the best Rényi order, by the conversion of Canonne, Kamath and Steinke (2020):
  /// min over a of a·mu²/2 + ln(1 - 1/a) - ln(δ·a)/(a - 1). An upper bound of `epsilon(delta:)`.
  package func renyiEpsilon(delta: Double) throws -> Double {
    let logDelta = log(try checked(delta: delta))
    func bound(_ t: Double) -> Double {
      let excess = exp(t)  // a - 1
      let order = 1 + excess
      return order * mu * mu / 2 + t - log1p(excess) - (logDelta + log1p(excess)) / excess
    }
    // Orders near 1 + sqrt(2 ln(1/δ)) / mu are best; scan generously around it, then refine the best cell by golden section.
    let centre = log(max(-logDelta, 1e-3).squareRoot() / mu)
    let step = 0.05
    let best = stride(from: centre - 15, through: centre + 15, by: step).min { bound($0) < bound($1) } ?? centre
    var (low, high) = (best - step, best + step)
    let ratio = (5.0.squareRoot() - 1) / 2
    for _ in 0..<60 {
      let (left, right) = (high - ratio * (high - low), low + ratio * (high - low))
      if bound(left) < bound(right) { high = right } else { low = left }
    }
    return max(0, bound((low + high) / 2))
  }
}
