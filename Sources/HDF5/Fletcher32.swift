/// The checksum of HDF5's fletcher32 filter, so that a chunk can be written past the library's pipeline, whose own loop takes one word at a time.
///
/// With w_i the n big-endian 16-bit words, sums modulo 65535 that are 0 only where all words are:
///
///     s₁ = Σ w_i        s₂ = Σ (n − i) w_i        checksum = s₂ · 2¹⁶ + s₁
///
/// Words are summed little-endian: swapping the bytes of a word is a multiplication by 256 modulo 65535. Lane l of sixteen takes the words 16 j + l.
package enum Fletcher32 {
  private static let lanes = 16
  /// Vectors after which a lane's second sum could pass 2³².
  private static let most = 360

  /// - Parameter bytes: an even number of them, as numbers of 2, 4 and 8 bytes have.
  package static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    precondition(bytes.count % 2 == 0, "\(bytes.count) bytes are no whole words")
    let vectors = bytes.count / (2 * lanes)
    // Per lane, and in 64 bits: after 2³² bytes these are below 2⁵⁸.
    var (first, second) = (SIMD16<UInt64>(), SIMD16<UInt64>())
    var start = 0
    while start < vectors {
      let count = min(most, vectors - start)
      var (s1, s2) = (SIMD16<UInt32>(), SIMD16<UInt32>())
      for j in start..<start + count {
        s1 &+= SIMD16<UInt32>(truncatingIfNeeded: bytes.loadUnaligned(fromByteOffset: j * 2 * lanes, as: SIMD16<UInt16>.self))
        s2 &+= s1
      }
      // What came before counts once more for every vector of this part.
      second = (second &+ first &* UInt64(count) &+ SIMD16<UInt64>(truncatingIfNeeded: s2)) % 65535
      first = (first &+ SIMD16<UInt64>(truncatingIfNeeded: s1)) % 65535
      start += count
    }
    // Word 16 j + l counts n − 16 j − l times, n being 16 m here: 16 (m − j) − l.
    var (one, two): (UInt64, UInt64) = (0, 0)
    for lane in 0..<lanes {
      one += first[lane]
      two += UInt64(lanes) * second[lane] + (65535 - UInt64(lane)) * first[lane]
    }
    for word in vectors * lanes..<bytes.count / 2 {
      one += UInt64(bytes.loadUnaligned(fromByteOffset: 2 * word, as: UInt16.self))
      two += one
    }
    let isZero = bytes.allSatisfy { $0 == 0 }
    func reduced(_ sum: UInt64) -> UInt32 {
      let rest = UInt32(sum % 65535 * 256 % 65535)
      return rest == 0 && !isZero ? 65535 : rest
    }
    return reduced(two) << 16 | reduced(one)
  }
}
