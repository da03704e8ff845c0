import Foundation

/// ln Σ exp(x).
func logSum(_ values: [Float]) -> Double {
  guard let largest = values.max(), largest > -.infinity else { return -.infinity }
  return Double(largest) + log(values.reduce(0.0) { $0 + exp(Double($1) - Double(largest)) })
}

/// ln(exp a + exp b).
func logAdd(_ a: Double, _ b: Double) -> Double {
  let largest = max(a, b)
  return largest == -.infinity ? largest : largest + log(exp(a - largest) + exp(b - largest))
}

/// ln(exp a − exp b); −∞ where b is not smaller.
func logSubtract(_ a: Double, _ b: Double) -> Double { a > b ? a + log1p(-exp(b - a)) : -.infinity }
