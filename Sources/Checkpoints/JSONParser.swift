import Diagnostics

/// The recursive descent behind `ByteJSON.parse`. Memory and stack are bounded by the length of the text and by `deepest`.
struct JSONParser {
  private let bytes: UnsafeRawBufferPointer
  private var index = 0
  private var values = 0
  private static let deepest = 64
  /// A value of two bytes takes a dozen times as many once parsed; this bounds the total.
  private static let mostValues = 1 << 22

  init(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
  }

  mutating func document() throws -> ByteJSON {
    let value = try value(depth: 0)
    skipSpace()
    guard index == bytes.count else { throw fault("text after the end of the document") }
    return value
  }

  private mutating func value(depth: Int) throws -> ByteJSON {
    guard depth <= Self.deepest else { throw fault("nested more than \(Self.deepest) deep") }
    values += 1
    guard values <= Self.mostValues else { throw fault("more than \(Self.mostValues) values") }
    skipSpace()
    guard index < bytes.count else { throw fault("ends too early") }
    switch bytes[index] {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    default: return try number()
    }
  }

  private mutating func object(depth: Int) throws -> ByteJSON {
    index += 1
    var members: [(key: [UInt8], value: ByteJSON)] = []
    if next(is: "}") { return .object(members) }
    repeat {
      skipSpace()
      guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { throw fault("expected a key in quotes") }
      let key = try string()
      guard next(is: ":") else { throw fault("expected \":\" after a key") }
      members.append((key, try value(depth: depth + 1)))
    } while next(is: ",")
    guard next(is: "}") else { throw fault("expected \",\" or \"}\"") }
    return .object(members)
  }

  private mutating func array(depth: Int) throws -> ByteJSON {
    index += 1
    var elements: [ByteJSON] = []
    if next(is: "]") { return .array(elements) }
    repeat { elements.append(try value(depth: depth + 1)) } while next(is: ",")
    guard next(is: "]") else { throw fault("expected \",\" or \"]\"") }
    return .array(elements)
  }

  private mutating func string() throws -> [UInt8] {
    index += 1
    var text: [UInt8] = []
    while index < bytes.count {
      let byte = bytes[index]
      index += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard String(validating: text, as: UTF8.self) != nil else { throw fault("a string is not valid UTF-8") }
        return text
      case UInt8(ascii: "\\"): try escape(into: &text)
      case 0..<0x20: throw fault("a control character in a string")
      default: text.append(byte)
      }
    }
    throw fault("a string does not end")
  }

  private mutating func escape(into text: inout [UInt8]) throws {
    guard index < bytes.count else { throw fault("a string does not end") }
    let byte = bytes[index]
    index += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      var code = try hexadecimal()
      if (0xD800..<0xDC00).contains(code) {
        guard index + 1 < bytes.count, bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u") else {
          throw fault("half a surrogate pair")
        }
        index += 2
        let low = try hexadecimal()
        guard (0xDC00..<0xE000).contains(low) else { throw fault("half a surrogate pair") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw fault("half a surrogate pair") }
      text.append(contentsOf: String(Character(scalar)).utf8)
    default: throw fault("an unknown escape in a string")
    }
  }

  private mutating func hexadecimal() throws -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard index < bytes.count, let digit = Character(Unicode.Scalar(bytes[index])).hexDigitValue else {
        throw fault("expected four hexadecimal digits")
      }
      code = code << 4 | UInt32(digit)
      index += 1
    }
    return code
  }

  private mutating func number() throws -> ByteJSON {
    let start = index
    var isInteger = true
    if index < bytes.count, bytes[index] == UInt8(ascii: "-") { index += 1 }
    let leadingZero = index < bytes.count && bytes[index] == UInt8(ascii: "0")
    let whole = skipDigits()
    guard whole > 0, !(leadingZero && whole > 1) else { throw fault("expected a value") }
    if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
      isInteger = false
      index += 1
      guard skipDigits() > 0 else { throw fault("a number ends with its point") }
    }
    if index < bytes.count, bytes[index] | 0x20 == UInt8(ascii: "e") {
      isInteger = false
      index += 1
      if index < bytes.count, bytes[index] == UInt8(ascii: "+") || bytes[index] == UInt8(ascii: "-") { index += 1 }
      guard skipDigits() > 0 else { throw fault("a number ends with its exponent sign") }
    }
    let text = String(decoding: bytes[start..<index], as: UTF8.self)
    if isInteger, let integer = Int64(text) { return .integer(integer) }
    guard let number = Double(text), number.isFinite else { throw fault("the number is too large") }
    return .number(number)
  }

  private mutating func skipDigits() -> Int {
    let start = index
    while index < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[index]) { index += 1 }
    return index - start
  }

  private mutating func literal(_ text: StaticString, _ value: ByteJSON) throws -> ByteJSON {
    let expected = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    guard bytes[index...].starts(with: expected) else { throw fault("expected a value") }
    index += expected.count
    return value
  }

  private mutating func next(is scalar: Unicode.Scalar) -> Bool {
    skipSpace()
    guard index < bytes.count, bytes[index] == UInt8(ascii: scalar) else { return false }
    index += 1
    return true
  }

  private mutating func skipSpace() {
    while index < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[index]) { index += 1 }
  }

  private func fault(_ message: String) -> Fault {
    Fault(.invalidData, "invalid JSON at byte \(index): \(message)")
  }
}
