import Diagnostics

/// A JSON document from an untrusted file: strict RFC 8259, duplicate keys refused, nesting limited, integers kept exact.
package enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  case integer(Int64)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// Parses `bytes`; throws `Fault(.invalidData)`, where it can with the byte offset.
  package static func parse(_ bytes: UnsafeRawBufferPointer) throws -> JSONValue { try JSONValue(ByteJSON.parse(bytes)) }

  /// Throws `Fault(.invalidData)` if a key stands twice in an object.
  private init(_ json: ByteJSON) throws {
    switch json {
    case .null: self = .null
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .integer(value)
    case .number(let value): self = .number(value)
    case .string(let bytes): self = .string(String(decoding: bytes, as: UTF8.self))
    case .array(let elements): self = .array(try elements.map { try JSONValue($0) })
    case .object(let members):
      var object: [String: JSONValue] = [:]
      for (key, value) in members {
        let key = String(decoding: key, as: UTF8.self)
        guard object.updateValue(try JSONValue(value), forKey: key) == nil else {
          throw Fault(.invalidData, "invalid JSON: key \"\(key)\" stands twice")
        }
      }
      self = .object(object)
    }
  }

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

  package var asBool: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  package var asString: String? {
    if case .string(let value) = self { value } else { nil }
  }

  package var asArray: [JSONValue]? {
    if case .array(let value) = self { value } else { nil }
  }

  package var asObject: [String: JSONValue]? {
    if case .object(let value) = self { value } else { nil }
  }

  /// What to call this kind of value in an error message.
  package var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a bool"
    case .integer: "an integer"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }

  /// `text` as a JSON string literal, quotes included.
  package static func quoted(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case _ where scalar.value < 0x20: out += "\\u00" + (scalar.value < 0x10 ? "0" : "") + String(scalar.value, radix: 16)
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }
}
