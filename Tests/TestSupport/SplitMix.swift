package import Foundation

/// SplitMix64 (Steele et al. 2014): what a test draws depends on its seed only.
package struct SplitMix: RandomNumberGenerator {
  private var state: UInt64

  package init(state: UInt64) { self.state = state }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// An integer in 0..<bound.
  package mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

  /// A number in (0, 1).
  package mutating func uniform() -> Double { (Double(next() >> 11) + 0.5) * 0x1p-53 }

  /// A standard normal number (Box and Muller).
  package mutating func gaussian() -> Double { (-2 * log(uniform())).squareRoot() * cos(2 * Double.pi * uniform()) }
}

/// `valid`, cut off in one of eight cases, otherwise with 1 to 8 bytes set to random or telling values.
package func mutate(_ valid: Data, using generator: inout SplitMix) -> Data {
  var bytes = valid
  if generator.next() % 8 == 0 { return bytes.prefix(Int(generator.next() % UInt64(bytes.count))) }
  // The structures stand in the first pages and at the end; long runs of zeros are no target.
  let telling = bytes.indices.filter { bytes[$0] != 0 || ($0 > 0 && bytes[$0 - 1] != 0) }
  for _ in 0...generator.next() % 8 {
    let index = telling[Int(generator.next() % UInt64(telling.count))]
    let values: [UInt8] = [
      0, 1, 0x7F, 0x80, 0xFF, bytes[index] &+ 1, bytes[index] ^ (1 << UInt8(generator.next() % 8)),
      UInt8(truncatingIfNeeded: generator.next()),
    ]
    bytes[index] = values[Int(generator.next() % 8)]
  }
  return bytes
}
