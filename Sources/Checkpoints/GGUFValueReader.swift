import Diagnostics

/// Reads metadata values, and refuses a file whose arrays would take many times its size once decoded.
struct GGUFValueReader {
  /// Array elements that the whole header may still hold; the largest published vocabularies need fewer than 2^20.
  private var elementsLeft: UInt64 = 1 << 24

  private enum Kind: UInt32 {
    case uint8 = 0, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64
  }

  mutating func value(of key: String, from reader: inout ByteReader) throws -> GGUFValue {
    let kind = try Self.kind(of: key, from: &reader)
    switch kind {
    case .uint8: return .unsigned(UInt64(try reader.integer(UInt8.self, key)))
    case .int8: return .signed(Int64(try reader.integer(Int8.self, key)))
    case .uint16: return .unsigned(UInt64(try reader.integer(UInt16.self, key)))
    case .int16: return .signed(Int64(try reader.integer(Int16.self, key)))
    case .uint32: return .unsigned(UInt64(try reader.integer(UInt32.self, key)))
    case .int32: return .signed(Int64(try reader.integer(Int32.self, key)))
    case .uint64: return .unsigned(try reader.integer(UInt64.self, key))
    case .int64: return .signed(try reader.integer(Int64.self, key))
    case .float32: return .float(Double(try reader.float(key)))
    case .float64: return .float(try reader.double(key))
    case .bool: return .bool(try Self.bool(reader.integer(UInt8.self, key), key))
    case .string: return .string([UInt8](try Self.string(of: key, from: &reader)))
    case .array: return try array(of: key, from: &reader, depth: 0)
    }
  }

  private mutating func array(of key: String, from reader: inout ByteReader, depth: Int) throws -> GGUFValue {
    let kind = try Self.kind(of: key, from: &reader)
    let count = try reader.integer(UInt64.self, "the length of \(key)")
    guard count <= elementsLeft else { throw Fault(.invalidData, "the array \(key) has \(count) elements, too many for a model header") }
    elementsLeft -= count
    switch kind {
    case .uint8: return .integers(try Self.numbers(count, UInt8.self, key, &reader).map { Int64($0) })
    case .int8: return .integers(try Self.numbers(count, Int8.self, key, &reader).map { Int64($0) })
    case .uint16: return .integers(try Self.numbers(count, UInt16.self, key, &reader).map { Int64($0) })
    case .int16: return .integers(try Self.numbers(count, Int16.self, key, &reader).map { Int64($0) })
    case .uint32: return .integers(try Self.numbers(count, UInt32.self, key, &reader).map { Int64($0) })
    case .int32: return .integers(try Self.numbers(count, Int32.self, key, &reader).map { Int64($0) })
    case .int64: return .integers(try Self.numbers(count, Int64.self, key, &reader))
    case .uint64:
      return .integers(
        try Self.numbers(count, UInt64.self, key, &reader).map {
          guard let value = Int64(exactly: $0) else { throw Fault(.invalidData, "the array \(key) holds \($0), beyond the largest Int64") }
          return value
        })
    case .float32: return .floats(try Self.numbers(count, UInt32.self, key, &reader).map { Float(bitPattern: $0) })
    case .float64: return .floats(try Self.numbers(count, UInt64.self, key, &reader).map { Float(Double(bitPattern: $0)) })
    case .bool: return .bools(try Self.numbers(count, UInt8.self, key, &reader).map { try Self.bool($0, key) })
    case .string:
      // Each string takes at least its length of eight bytes, so the array allocated here is never larger than the file.
      guard count <= UInt64(reader.remaining / 8) else { throw Self.truncated(key, count) }
      var strings: [[UInt8]] = []
      strings.reserveCapacity(Int(count))
      for _ in 0..<count { strings.append([UInt8](try Self.string(of: key, from: &reader))) }
      return .strings(strings)
    case .array:
      guard depth < 4 else { throw Fault(.invalidData, "the array \(key) is nested too deeply") }
      guard count <= UInt64(reader.remaining / 12) else { throw Self.truncated(key, count) }
      var arrays: [GGUFValue] = []
      for _ in 0..<count { arrays.append(try array(of: key, from: &reader, depth: depth + 1)) }
      return .nested(arrays)
    }
  }

  private static func kind(of key: String, from reader: inout ByteReader) throws -> Kind {
    let number = try reader.integer(UInt32.self, "the type of \(key)")
    guard let kind = Kind(rawValue: number) else { throw Fault(.invalidData, "metadata \(key) has the unknown type \(number)") }
    return kind
  }

  private static func string(of key: String, from reader: inout ByteReader) throws -> UnsafeRawBufferPointer {
    let length = try reader.integer(UInt64.self, key)
    return try reader.take(length, key)
  }

  private static func bool(_ byte: UInt8, _ key: String) throws -> Bool {
    guard byte <= 1 else { throw Fault(.invalidData, "metadata \(key) is a bool of value \(byte)") }
    return byte == 1
  }

  private static func numbers<T: FixedWidthInteger>(_ count: UInt64, _: T.Type, _ key: String, _ reader: inout ByteReader) throws -> [T] {
    let size = MemoryLayout<T>.size
    // `count` is at most 2^24 here, so the product cannot overflow.
    let raw = try reader.take(count * UInt64(size), key)
    return [T](unsafeUninitializedCapacity: Int(count)) { buffer, initialized in
      for index in 0..<Int(count) {
        buffer.initializeElement(at: index, to: T(littleEndian: raw.loadUnaligned(fromByteOffset: index * size, as: T.self)))
      }
      initialized = Int(count)
    }
  }

  private static func truncated(_ key: String, _ count: UInt64) -> Fault {
    Fault(.invalidData, "truncated: the array \(key) announces \(count) elements, more than the bytes that are left can hold")
  }
}
