/// Counter-based random numbers: draw `n` of a stream is a function of (seed, stream, n) alone, so documents do not depend on each other's
/// number of draws. SplitMix64 finaliser (Steele, Lea & Flood 2014).
struct CounterGenerator: RandomNumberGenerator {
  private let key: UInt64
  private var counter: UInt64 = 0

  init(seed: UInt64, stream: UInt64) {
    key = CounterGenerator.mix(CounterGenerator.mix(seed &+ 0x9E37_79B9_7F4A_7C15) ^ stream &* 0xD1B5_4A32_D192_ED03)
  }

  mutating func next() -> UInt64 {
    counter &+= 0x9E37_79B9_7F4A_7C15
    return CounterGenerator.mix(key &+ counter)
  }

  static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Uniform in 0..<bound up to a bias of bound/2^64; the same on every platform and Swift version, unlike `Int.random`.
  mutating func index(below bound: Int) -> Int {
    precondition(bound > 0, "index(below: \(bound))")
    return Int(next().multipliedFullWidth(by: UInt64(bound)).high)
  }
}
