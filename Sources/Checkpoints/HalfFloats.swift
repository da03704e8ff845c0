/// 16-bit floats to and from f32. Every f16 and bf16 value is exact in f32; the way back rounds to nearest, ties to even.
enum HalfFloat {
  /// f32 of an IEEE f16, from its bits.
  ///
  /// The exponent and mantissa moved into f32's places are the value times 2^-112, subnormals included; Inf and NaN come out at or above
  /// 2^16 and get the largest exponent.
  @inline(__always) static func widen(_ half: UInt16) -> Float {
    let sign = UInt32(half & 0x8000) << 16
    var bits = (Float(bitPattern: UInt32(half & 0x7FFF) << 13) * 0x1p112).bitPattern
    if half & 0x7C00 == 0x7C00 { bits |= 0x7F80_0000 }
    return Float(bitPattern: bits | sign)
  }

  @inline(__always) static func widen(_ half: SIMD8<UInt16>) -> SIMD8<Float> {
    let wide = SIMD8<UInt32>(truncatingIfNeeded: half)
    let magnitude = unsafeBitCast((wide & 0x7FFF) &<< 13, to: SIMD8<Float>.self) * 0x1p112
    // One in the lanes whose exponent is all ones, by its carry; lane masks would be slower.
    let special = ((wide & 0x7C00) &+ 0x0400) &>> 15
    let bits = unsafeBitCast(magnitude, to: SIMD8<UInt32>.self) | ((0 &- special) & 0x7F80_0000)
    return unsafeBitCast(bits | ((wide & 0x8000) &<< 16), to: SIMD8<Float>.self)
  }

  /// f32 of a bfloat16, from its bits.
  @inline(__always) static func widen(brain: SIMD8<UInt16>) -> SIMD8<Float> {
    unsafeBitCast(SIMD8<UInt32>(truncatingIfNeeded: brain) &<< 16, to: SIMD8<Float>.self)
  }

  /// The bits of the bfloat16 nearest to `value`; a NaN stays a NaN.
  static func brain(_ value: Float) -> UInt16 {
    if value.isNaN { return UInt16(value.bitPattern >> 16) | 0x40 }
    // Rounding up from the largest finite value carries into Inf, as it should; the addition cannot overflow, because Inf has a zero mantissa.
    let odd = (value.bitPattern >> 16) & 1
    return UInt16((value.bitPattern + 0x7FFF + odd) >> 16)
  }
}
