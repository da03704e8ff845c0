import Diagnostics

/// Writes small GGUF v3 files.
package enum GGUFWriter {
  package struct Tensor: Sendable {
    package let name: String
    package let type: StoredType
    /// The fastest-varying length (columns) first.
    package let dimensions: [Int]
    package let bytes: [UInt8]

    /// Traps unless `bytes` are exactly the tensor.
    package init(_ name: String, _ type: StoredType, dimensions: [Int], bytes: [UInt8]) {
      let count = type.byteCount(rows: dimensions.dropFirst().reduce(1, *), columns: dimensions.first ?? 0)
      precondition(count == bytes.count, "\(bytes.count) bytes are no \(type.rawValue) \(dimensions) (\(name))")
      (self.name, self.type, self.dimensions, self.bytes) = (name, type, dimensions, bytes)
    }
  }

  /// Writes the file at `path` atomically. Integers take 32 bits where they fit, else 64; floats take 32. Throws `Fault(.cannotCreate)` or
  /// `Fault(.inputOutput)`.
  package static func write(to path: String, metadata: [(String, GGUFValue)], tensors: [Tensor]) throws {
    var file = try AtomicFile(path)
    try file.write(bytes(metadata: metadata, tensors: tensors))
    try file.finish()
  }

  /// The bytes of the file.
  package static func bytes(metadata: [(String, GGUFValue)], tensors: [Tensor]) -> [UInt8] {
    var out = [UInt8]("GGUF".utf8)
    out.append(littleEndian: UInt32(3))
    out.append(littleEndian: UInt64(tensors.count))
    out.append(littleEndian: UInt64(metadata.count))
    for (key, value) in metadata {
      append([UInt8](key.utf8), to: &out)
      out.append(littleEndian: typeNumber(of: value))
      append(value, to: &out)
    }
    var offset = 0
    for tensor in tensors {
      append([UInt8](tensor.name.utf8), to: &out)
      out.append(littleEndian: UInt32(tensor.dimensions.count))
      for length in tensor.dimensions { out.append(littleEndian: UInt64(length)) }
      out.append(littleEndian: tensor.type.ggmlNumber)
      out.append(littleEndian: UInt64(offset))
      offset = aligned(offset + tensor.bytes.count)
    }
    for tensor in tensors {
      out += [UInt8](repeating: 0, count: aligned(out.count) - out.count)
      out += tensor.bytes
    }
    return out + [UInt8](repeating: 0, count: aligned(out.count) - out.count)
  }

  private static func aligned(_ offset: Int) -> Int { (offset + 31) / 32 * 32 }

  private static func typeNumber(of value: GGUFValue) -> UInt32 {
    switch value {
    case .unsigned(let number): UInt32(exactly: number) != nil ? 4 : 10
    case .signed(let number): Int32(exactly: number) != nil ? 5 : 11
    case .float: 6
    case .bool: 7
    case .string: 8
    case .strings, .floats, .integers, .bools, .nested: 9
    }
  }

  private static func append(_ value: GGUFValue, to out: inout [UInt8]) {
    switch value {
    case .unsigned(let number):
      if let short = UInt32(exactly: number) { out.append(littleEndian: short) } else { out.append(littleEndian: number) }
    case .signed(let number):
      if let short = Int32(exactly: number) { out.append(littleEndian: short) } else { out.append(littleEndian: number) }
    case .float(let number): out.append(littleEndian: Float(number).bitPattern)
    case .bool(let flag): out.append(flag ? 1 : 0)
    case .string(let text): append(text, to: &out)
    case .strings(let texts):
      appendHead(8, texts.count, to: &out)
      for text in texts { append(text, to: &out) }
    case .floats(let numbers):
      appendHead(6, numbers.count, to: &out)
      for number in numbers { out.append(littleEndian: number.bitPattern) }
    case .integers(let numbers):
      let short = numbers.allSatisfy { Int32(exactly: $0) != nil }
      appendHead(short ? 5 : 11, numbers.count, to: &out)
      for number in numbers { if short { out.append(littleEndian: Int32(number)) } else { out.append(littleEndian: number) } }
    case .bools(let flags):
      appendHead(7, flags.count, to: &out)
      out += flags.map { $0 ? 1 : 0 }
    case .nested(let values):
      appendHead(9, values.count, to: &out)
      for value in values {
        precondition(typeNumber(of: value) == 9, "an array of arrays holds \(value.kind)")
        append(value, to: &out)
      }
    }
  }

  private static func appendHead(_ elementType: UInt32, _ count: Int, to out: inout [UInt8]) {
    out.append(littleEndian: elementType)
    out.append(littleEndian: UInt64(count))
  }

  private static func append(_ text: [UInt8], to out: inout [UInt8]) {
    out.append(littleEndian: UInt64(text.count))
    out += text
  }
}
