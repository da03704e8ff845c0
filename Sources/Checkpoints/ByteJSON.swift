import Diagnostics

/// A JSON document from an untrusted file, strictly RFC 8259 and with limited nesting, whose strings are bytes of valid UTF-8 and whose objects
/// keep their order.
///
/// A vocabulary may hold strings that Swift takes for equal (`é` in one character and in two), so `String` keys would lose tokens. Where no
/// such strings are expected, `JSONValue` is easier to read from.
package indirect enum ByteJSON: Sendable {
  case null
  case bool(Bool)
  case integer(Int64)
  case number(Double)
  case string([UInt8])
  case array([ByteJSON])
  case object([(key: [UInt8], value: ByteJSON)])

  /// Parses `bytes`; throws `Fault(.invalidData)` with the byte offset.
  package static func parse(_ bytes: [UInt8]) throws -> ByteJSON { try bytes.withUnsafeBytes { try parse($0) } }

  package static func parse(_ bytes: UnsafeRawBufferPointer) throws -> ByteJSON {
    var parser = JSONParser(bytes)
    return try parser.document()
  }

  /// The member `key` of an object; null if there is none, or if this is no object. Of several the last, as in Python.
  package subscript(_ key: StaticString) -> ByteJSON {
    guard case .object(let members) = self else { return .null }
    let name = Array("\(key)".utf8)
    return members.last { $0.key == name }?.value ?? .null
  }

  package var isNull: Bool { if case .null = self { true } else { false } }
  package var asBool: Bool? { if case .bool(let value) = self { value } else { nil } }
  package var asBytes: [UInt8]? { if case .string(let value) = self { value } else { nil } }
  package var asText: String? { asBytes.map { String(decoding: $0, as: UTF8.self) } }
  package var asArray: [ByteJSON]? { if case .array(let value) = self { value } else { nil } }

  /// The number as an `Int`: an integer, or a float that is one (`1e3`).
  package var asInt: Int? {
    switch self {
    case .integer(let value): Int(exactly: value)
    case .number(let value): Int(exactly: value)
    default: nil
    }
  }

  package var asDouble: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }
}
