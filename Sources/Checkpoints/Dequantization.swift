/// Widening of stored blocks to f32, bit for bit as `gguf.quants.dequantize` of llama.cpp's Python package does it.
///
/// Unsafe pointers, because these loops run over every weight of a model at load. Callers have checked that `source` holds `blocks` whole
/// blocks and that `target` has room for `blocks * blockLength` floats; every access below stays inside one block.
enum Dequantization {
  static func widen(_ type: StoredType, blocks: Int, from source: UnsafeRawPointer, into target: UnsafeMutablePointer<Float>) {
    switch type {
    case .f32: UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: blocks * 4)
    case .f16: widenHalves(blocks, source, target) { HalfFloat.widen($0) }
    case .bf16: widenHalves(blocks, source, target) { HalfFloat.widen(brain: $0) }
    case .q8_0: each(type, blocks, source, target, q8_0)
    case .q4_0: each(type, blocks, source, target, q4_0)
    case .q4_1: each(type, blocks, source, target, q4_1)
    case .q5_0: each(type, blocks, source, target, q5_0)
    case .q5_1: each(type, blocks, source, target, q5_1)
    case .q4_K: each(type, blocks, source, target, q4_K)
    case .q6_K: each(type, blocks, source, target, q6_K)
    }
  }

  @inline(__always) private static func each(
    _ type: StoredType, _ blocks: Int, _ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>,
    _ block: (UnsafeRawPointer, UnsafeMutablePointer<Float>) -> Void
  ) {
    let (stride, length) = (type.bytesPerBlock, type.blockLength)
    for index in 0..<blocks { block(source + index * stride, target + index * length) }
  }

  @inline(__always) private static func widenHalves(
    _ count: Int, _ source: UnsafeRawPointer, _ target: UnsafeMutablePointer<Float>, _ widen: (SIMD8<UInt16>) -> SIMD8<Float>
  ) {
    var index = 0
    while index + 8 <= count {
      store(widen(source.loadUnaligned(fromByteOffset: index * 2, as: SIMD8<UInt16>.self)), target + index)
      index += 8
    }
    while index < count {
      target[index] = widen(SIMD8(repeating: source.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self)))[0]
      index += 1
    }
  }

  // d, then 32 signed bytes: d·q
  @inline(__always) private static func q8_0(_ block: UnsafeRawPointer, _ out: UnsafeMutablePointer<Float>) {
    let d = half(block)
    for part in 0..<2 {
      let q = (block + 2 + 16 * part).loadUnaligned(as: SIMD16<Int8>.self)
      store(d * SIMD16<Float>(SIMD16<Int32>(truncatingIfNeeded: q)), out + 16 * part)
    }
  }

  // d, then 16 bytes whose low nibbles are weights 0…15 and whose high nibbles are 16…31: d·(q − 8)
  @inline(__always) private static func q4_0(_ block: UnsafeRawPointer, _ out: UnsafeMutablePointer<Float>) {
    let d = half(block)
    let q = bytes(block + 2)
    store(d * floats((q & 0xF), minus: 8), out)
    store(d * floats((q &>> 4), minus: 8), out + 16)
  }

  // d, m, nibbles as in q4_0: d·q + m
  @inline(__always) private static func q4_1(_ block: UnsafeRawPointer, _ out: UnsafeMutablePointer<Float>) {
    let (d, m) = (half(block), half(block + 2))
    let q = bytes(block + 4)
    store(d * floats(q & 0xF) + m, out)
    store(d * floats(q &>> 4) + m, out + 16)
  }

  // d, 32 fifth bits, nibbles: d·(q − 16)
  @inline(__always) private static func q5_0(_ block: UnsafeRawPointer, _ out: UnsafeMutablePointer<Float>) {
    let d = half(block)
    let high = UInt32(littleEndian: (block + 2).loadUnaligned(as: UInt32.self))
    let q = bytes(block + 6)
    store(d * floats((q & 0xF) | fifthBits(high & 0xFFFF), minus: 16), out)
    store(d * floats((q &>> 4) | fifthBits(high >> 16), minus: 16), out + 16)
  }

  // d, m, 32 fifth bits, nibbles: d·q + m
  @inline(__always) private static func q5_1(_ block: UnsafeRawPointer, _ out: UnsafeMutablePointer<Float>) {
    let (d, m) = (half(block), half(block + 2))
    let high = UInt32(littleEndian: (block + 4).loadUnaligned(as: UInt32.self))
    let q = bytes(block + 8)
    store(d * floats((q & 0xF) | fifthBits(high & 0xFFFF)) + m, out)
    store(d * floats((q &>> 4) | fifthBits(high >> 16)) + m, out + 16)
  }

  // d, dmin, eight 6-bit scales and minima in 12 bytes, then 4 × 32 bytes: low nibbles are one group of 32, high nibbles the next;
  // (d·scale)·q − dmin·minimum
  @inline(__always) private static func q4_K(_ block: UnsafeRawPointer, _ out: UnsafeMutablePointer<Float>) {
    let (d, dmin) = (half(block), half(block + 2))
    let packed = block + 4
    for group in 0..<8 {
      let scale: UInt8
      let minimum: UInt8
      if group < 4 {
        scale = packed.load(fromByteOffset: group, as: UInt8.self) & 0x3F
        minimum = packed.load(fromByteOffset: group + 4, as: UInt8.self) & 0x3F
      } else {
        let low = packed.load(fromByteOffset: group + 4, as: UInt8.self)
        scale = (low & 0xF) | ((packed.load(fromByteOffset: group - 4, as: UInt8.self) >> 2) & 0x30)
        minimum = (low >> 4) | ((packed.load(fromByteOffset: group, as: UInt8.self) >> 2) & 0x30)
      }
      let (ds, dm) = (d * Float(scale), dmin * Float(minimum))
      let shift = UInt8(4 * (group % 2))
      for part in 0..<2 {
        let q = (bytes(block + 16 + 32 * (group / 2) + 16 * part) &>> SIMD16(repeating: shift)) & 0xF
        store(ds * floats(q) - dm, out + 32 * group + 16 * part)
      }
    }
  }

  // 128 bytes of low nibbles, 64 of high bit pairs, 16 signed scales, d; each half of 128 weights is four runs of 32: (d·scale)·(q − 32)
  @inline(__always) private static func q6_K(_ block: UnsafeRawPointer, _ out: UnsafeMutablePointer<Float>) {
    let d = half(block + 208)
    for sixteen in 0..<16 {
      let (part, run, side) = (sixteen / 8, sixteen % 8 / 2, sixteen % 2)
      let low = bytes(block + 64 * part + 32 * (run % 2) + 16 * side) &>> SIMD16(repeating: run < 2 ? 0 : 4)
      let high = bytes(block + 128 + 32 * part + 16 * side) &>> SIMD16(repeating: UInt8(2 * run))
      let scale = (block + 192 + sixteen).load(as: Int8.self)
      store((d * Float(scale)) * floats((low & 0xF) | ((high & 3) &<< 4), minus: 32), out + 16 * sixteen)
    }
  }

  @inline(__always) private static func half(_ pointer: UnsafeRawPointer) -> Float {
    HalfFloat.widen(UInt16(littleEndian: pointer.loadUnaligned(as: UInt16.self)))
  }

  @inline(__always) private static func bytes(_ pointer: UnsafeRawPointer) -> SIMD16<UInt8> {
    pointer.loadUnaligned(as: SIMD16<UInt8>.self)
  }

  @inline(__always) private static func floats(_ q: SIMD16<UInt8>, minus zero: Int32 = 0) -> SIMD16<Float> {
    SIMD16<Float>(SIMD16<Int32>(truncatingIfNeeded: q) &- zero)
  }

  /// Sixteen times bit i of the 16 low ones of `bits` in lane i.
  @inline(__always) private static func fifthBits(_ bits: UInt32) -> SIMD16<UInt8> {
    let own = SIMD8<UInt8>(1, 2, 4, 8, 16, 32, 64, 128)
    let toTop = SIMD8<UInt8>(128, 64, 32, 16, 8, 4, 2, 1)
    let low = SIMD8(repeating: UInt8(truncatingIfNeeded: bits)) & own
    let high = SIMD8(repeating: UInt8(truncatingIfNeeded: bits >> 8)) & own
    // A product of the lane's own power of two and its counterpart is 128 or nothing.
    return (SIMD16(lowHalf: low, highHalf: high) &* SIMD16(lowHalf: toTop, highHalf: toTop)) &>> 3
  }

  @inline(__always) private static func store<V>(_ values: V, _ target: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(target).storeBytes(of: values, as: V.self)
  }
}
