/// A metadata value of a GGUF header. Numbers of every width are widened; strings are raw bytes, which need not be UTF-8.
package enum GGUFValue: Sendable, Equatable {
  case unsigned(UInt64)
  case signed(Int64)
  case float(Double)
  case bool(Bool)
  case string([UInt8])
  case strings([[UInt8]])
  /// An array of f32, or of f64 rounded to f32.
  case floats([Float])
  /// An array of signed or unsigned integers of any width; an unsigned one beyond `Int64.max` is refused when the file is opened.
  case integers([Int64])
  case bools([Bool])
  /// An array of arrays.
  case nested([GGUFValue])

  /// The number, if this is an integer that an `Int` holds.
  package var asInt: Int? {
    switch self {
    case .unsigned(let value): Int(exactly: value)
    case .signed(let value): Int(exactly: value)
    default: nil
    }
  }

  /// The number, if this is an integer or a float; integers beyond 2^53 are rounded.
  package var asDouble: Double? {
    switch self {
    case .unsigned(let value): Double(value)
    case .signed(let value): Double(value)
    case .float(let value): value
    default: nil
    }
  }

  package var asBool: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  package var asBytes: [UInt8]? {
    if case .string(let value) = self { value } else { nil }
  }

  /// The text, if this is a string of valid UTF-8.
  package var asString: String? { asBytes.flatMap { String(validating: $0, as: UTF8.self) } }

  package var asStrings: [[UInt8]]? {
    if case .strings(let value) = self { value } else { nil }
  }

  package var asFloats: [Float]? {
    if case .floats(let value) = self { value } else { nil }
  }

  package var asIntegers: [Int64]? {
    if case .integers(let value) = self { value } else { nil }
  }

  package var asBools: [Bool]? {
    if case .bools(let value) = self { value } else { nil }
  }

  /// What to call this kind of value in an error message.
  package var kind: String {
    switch self {
    case .unsigned, .signed: "an integer"
    case .float: "a float"
    case .bool: "a bool"
    case .string: "a string"
    case .strings: "an array of strings"
    case .floats: "an array of floats"
    case .integers: "an array of integers"
    case .bools: "an array of bools"
    case .nested: "an array of arrays"
    }
  }
}
