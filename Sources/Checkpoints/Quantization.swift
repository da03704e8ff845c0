extension StoredType {
  /// `values` as stored bytes, rounded to nearest; for the block types of 32 as llama.cpp's `gguf` package quantises, up to rounding of ties.
  ///
  /// Meant for small files, not for speed. Traps for q4_K and q6_K, and unless `values` are whole blocks.
  package func encoded(_ values: some RandomAccessCollection<Float>) -> [UInt8] {
    precondition(values.count.isMultiple(of: blockLength), "\(values.count) values are no whole blocks of \(rawValue)")
    var out: [UInt8] = []
    out.reserveCapacity(values.count / blockLength * bytesPerBlock)
    switch self {
    case .f32: for value in values { out.append(littleEndian: value.bitPattern) }
    case .f16: for value in values { out.append(littleEndian: Float16(value).bitPattern) }
    case .bf16: for value in values { out.append(littleEndian: HalfFloat.brain(value)) }
    case .q4_K, .q6_K: preconditionFailure("there is no encoder for \(rawValue)")
    case .q8_0, .q4_0, .q4_1, .q5_0, .q5_1:
      var rest = values[...]
      while !rest.isEmpty {
        appendBlock(Array(rest.prefix(32)), to: &out)
        rest = rest.dropFirst(32)
      }
    }
    return out
  }

  private func appendBlock(_ block: [Float], to out: inout [UInt8]) {
    let largest = block.max { abs($0) < abs($1) } ?? 0
    let (low, high) = (block.min() ?? 0, block.max() ?? 0)
    let scale: Float
    let offset: Float
    let zero: Float
    let top: Float
    switch self {
    case .q8_0: (scale, offset, zero, top) = (abs(largest) / 127, 0, 128, 255)
    case .q4_0: (scale, offset, zero, top) = (largest / -8, 0, 8, 15)
    case .q5_0: (scale, offset, zero, top) = (largest / -16, 0, 16, 31)
    case .q4_1: (scale, offset, zero, top) = ((high - low) / 15, low, 0, 15)
    default: (scale, offset, zero, top) = ((high - low) / 31, low, 0, 31)
    }
    let codes = block.map { value -> UInt8 in
      let code = scale == 0 ? zero : ((value - offset) / scale + zero).rounded()
      return UInt8(min(max(code.isNaN ? zero : code, 0), top))
    }
    out.append(littleEndian: Float16(scale).bitPattern)
    if self == .q4_1 || self == .q5_1 { out.append(littleEndian: Float16(offset).bitPattern) }
    if self == .q8_0 {
      out += codes.map { $0 &- 128 }
      return
    }
    if self == .q5_0 || self == .q5_1 {
      out.append(littleEndian: codes.enumerated().reduce(UInt32(0)) { $0 | UInt32($1.element >> 4) << UInt32($1.offset) })
    }
    for index in 0..<16 { out.append(codes[index] & 0xF | codes[index + 16] << 4) }
  }
}

extension [UInt8] {
  mutating func append(littleEndian value: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}
