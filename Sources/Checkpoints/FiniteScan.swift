/// Finds NaN and Inf in stored blocks, by their exponent bits, without widening them.
///
/// Unsafe loads, because it reads every byte of a model; each lies within the `blocks` whole blocks that `bytes` holds.
enum FiniteScan {
  /// The index of the first block with a weight or scale that is not finite; nil if there is none.
  static func firstBad(_ type: StoredType, in bytes: UnsafeRawBufferPointer) -> Int? {
    switch type {
    case .f32: firstBad(bytes, exponent: UInt32(0x7F80_0000))
    case .f16: firstBad(bytes, exponent: UInt16(0x7C00))
    case .bf16: firstBad(bytes, exponent: UInt16(0x7F80))
    case .q8_0, .q4_0, .q5_0: firstBadScale(type, bytes, [0])
    case .q4_1, .q5_1, .q4_K: firstBadScale(type, bytes, [0, 2])
    case .q6_K: firstBadScale(type, bytes, [208])
    }
  }

  /// Whole pages of 4096 bytes first, then weight by weight.
  ///
  /// Eight bytes hold two or four weights. Their exponents, each with its own lowest bit added, carry into the sign's place just when they are
  /// all ones, and never further.
  @inline(__always) private static func firstBad<T: FixedWidthInteger & UnsignedInteger>(_ bytes: UnsafeRawBufferPointer, exponent: T)
    -> Int?
  {
    let lanes = UInt64.max / UInt64(T.max)
    let exponents = SIMD8(repeating: UInt64(exponent) * lanes)
    let lowest = SIMD8(repeating: UInt64(exponent & (0 &- exponent)) * lanes)
    let signs = SIMD8(repeating: UInt64(T.max / 2 + 1) * lanes)
    var offset = 0
    while offset + 4096 <= bytes.count {
      var flags = SIMD8<UInt64>()
      for line in 0..<64 {
        flags |= (bytes.loadUnaligned(fromByteOffset: offset + 64 * line, as: SIMD8<UInt64>.self) & exponents) &+ lowest
      }
      if flags & signs != SIMD8() { break }
      offset += 4096
    }
    let size = MemoryLayout<T>.size
    return (offset / size..<bytes.count / size).first {
      bytes.loadUnaligned(fromByteOffset: $0 * size, as: T.self) & exponent == exponent
    }
  }

  private static func firstBadScale(_ type: StoredType, _ bytes: UnsafeRawBufferPointer, _ offsets: [Int]) -> Int? {
    let size = type.bytesPerBlock
    return (0..<bytes.count / size).first { block in
      offsets.contains { bytes.loadUnaligned(fromByteOffset: block * size + $0, as: UInt16.self) & 0x7C00 == 0x7C00 }
    }
  }
}
