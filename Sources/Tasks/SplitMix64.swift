import Foundation

/// Seeded random numbers, the same on every platform and Swift version: SplitMix64 (Steele, Lea & Flood 2014).
struct SplitMix64 {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Uniform in 0..<bound up to a bias of bound/2^64.
  mutating func index(below bound: Int) -> Int {
    precondition(bound > 0, "index(below: \(bound))")
    return Int(next().multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// Uniform strictly between 0 and 1.
  mutating func uniform() -> Double { (Double(next() >> 12) + 0.5) * 0x1p-52 }

  /// Standard normal (Box & Muller).
  mutating func normal() -> Double { (-2 * log(uniform())).squareRoot() * cos(2 * .pi * uniform()) }

  /// The elements in a uniformly drawn order (Fisher & Yates).
  mutating func shuffled<T>(_ elements: [T]) -> [T] {
    var elements = elements
    for last in stride(from: elements.count - 1, to: 0, by: -1) { elements.swapAt(last, index(below: last + 1)) }
    return elements
  }
}
