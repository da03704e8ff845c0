import Foundation

/// Counter-based randomness (Philox 4x32-10, Salmon et al. 2011): a draw is a pure function of seed, stream and counter, so it depends on
/// neither batch order nor threads.
package struct CounterRandom: Sendable {
  private let key: (UInt32, UInt32)
  private let stream: UInt64

  /// - Parameters:
  ///   - seed: the run's seed.
  ///   - stream: what the draws are for, for example `noise/input-cut`; different names give independent draws.
  package init(seed: UInt64, stream: String) {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in stream.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    key = (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
    self.stream = hash
  }

  /// Four uniform 32-bit words at (`item`, `index`); `index` < 2³² distinguishes draws of one item.
  package func words(item: UInt64, index: UInt32) -> (UInt32, UInt32, UInt32, UInt32) {
    var c = (
      UInt32(truncatingIfNeeded: item), UInt32(truncatingIfNeeded: item >> 32) ^ index, UInt32(truncatingIfNeeded: stream),
      UInt32(truncatingIfNeeded: stream >> 32) &+ index
    )
    var k = key
    for _ in 0..<10 {
      let p0 = UInt64(0xD251_1F53) &* UInt64(c.0)
      let p1 = UInt64(0xCD9E_8D57) &* UInt64(c.2)
      c = (
        UInt32(truncatingIfNeeded: p1 >> 32) ^ c.1 ^ k.0, UInt32(truncatingIfNeeded: p1), UInt32(truncatingIfNeeded: p0 >> 32) ^ c.3 ^ k.1,
        UInt32(truncatingIfNeeded: p0)
      )
      k = (k.0 &+ 0x9E37_79B9, k.1 &+ 0xBB67_AE85)
    }
    return c
  }

  /// Uniform in (0, 1), 32 bits.
  package func uniform(item: UInt64, index: UInt32 = 0) -> Double {
    (Double(words(item: item, index: index).0) + 0.5) * 0x1p-32
  }

  /// Standard normal values for `item`, by Box–Muller in double precision.
  package func normals(item: UInt64, count: Int) -> [Double] {
    var out: [Double] = []
    out.reserveCapacity(count + 3)
    var index: UInt32 = 0
    while out.count < count {
      let w = words(item: item, index: index)
      for (a, b) in [(w.0, w.1), (w.2, w.3)] {
        let radius = (-2 * log((Double(a) + 0.5) * 0x1p-32)).squareRoot()
        let angle = 2 * Double.pi * (Double(b) + 0.5) * 0x1p-32
        out.append(radius * cos(angle))
        out.append(radius * sin(angle))
      }
      index += 1
    }
    out.removeLast(out.count - count)
    return out
  }

  /// Laplace values of mean 0 and standard deviation 1 for `item`, by inversion in double precision.
  package func laplace(item: UInt64, count: Int) -> [Double] {
    var out: [Double] = []
    out.reserveCapacity(count + 3)
    var index: UInt32 = 0
    while out.count < count {
      let w = words(item: item, index: index)
      for word in [w.0, w.1, w.2, w.3] {
        let u = (Double(word) + 0.5) * 0x1p-32 - 0.5
        out.append((u < 0 ? 1 : -1) * log1p(-2 * abs(u)) / 2.0.squareRoot())
      }
      index += 1
    }
    out.removeLast(out.count - count)
    return out
  }

  /// A sequential generator of this stream, for shuffles and sampling.
  package func generator(item: UInt64 = 0) -> Sequence { Sequence(source: self, item: item) }

  package struct Sequence: RandomNumberGenerator, Sendable {
    fileprivate let source: CounterRandom
    fileprivate let item: UInt64
    private var index: UInt32 = 0

    fileprivate init(source: CounterRandom, item: UInt64) { (self.source, self.item) = (source, item) }

    package mutating func next() -> UInt64 {
      let w = source.words(item: item, index: index)
      index &+= 1
      return UInt64(w.0) << 32 | UInt64(w.1)
    }
  }
}
