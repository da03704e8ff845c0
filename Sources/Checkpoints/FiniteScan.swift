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

  @inline(__always) private static func firstBad<T: FixedWidthInteger & SIMDScalar>(_ bytes: UnsafeRawBufferPointer, exponent: T) -> Int?
  where T.SIMDMaskScalar: SIMDScalar {
    let size = MemoryLayout<T>.size
    let count = bytes.count / size
    let stride = 64 / size
    var index = 0
    // Whole cache lines first: is any lane's exponent all ones?
    while index + stride <= count {
      var bad = false
      for lane in 0..<stride {
        bad = bad || (bytes.loadUnaligned(fromByteOffset: (index + lane) * size, as: T.self) & exponent == exponent)
      }
      if bad { break }
      index += stride
    }
    return (index..<count).first { bytes.loadUnaligned(fromByteOffset: $0 * size, as: T.self) & exponent == exponent }
  }

  private static func firstBadScale(_ type: StoredType, _ bytes: UnsafeRawBufferPointer, _ offsets: [Int]) -> Int? {
    let size = type.bytesPerBlock
    return (0..<bytes.count / size).first { block in
      offsets.contains { bytes.loadUnaligned(fromByteOffset: block * size + $0, as: UInt16.self) & 0x7C00 == 0x7C00 }
    }
  }
}
