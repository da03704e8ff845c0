import Diagnostics

/// Reads the fields of one protocol buffer message. https://protobuf.dev/programming-guides/encoding/
struct ProtocolBufferReader {
  enum Value {
    case integer(UInt64)
    case fixed32(UInt32)
    case fixed64(UInt64)
    /// A string or a message: where it lies in `bytes`.
    case bytes(Range<Int>)
  }

  let bytes: [UInt8]
  private var index: Int
  private let end: Int

  /// Reads the message in `range`, which must lie in `bytes`.
  init(_ bytes: [UInt8], _ range: Range<Int>) {
    (self.bytes, index, end) = (bytes, range.lowerBound, range.upperBound)
  }

  /// The next field, or nil at the end. Throws `Fault(.invalidData)` for anything that is no message.
  mutating func next() throws -> (field: UInt64, value: Value)? {
    guard index < end else { return nil }
    let tag = try varint()
    switch tag & 7 {
    case 0: return (tag >> 3, .integer(try varint()))
    case 1: return (tag >> 3, .fixed64(try fixed(8)))
    case 2:
      let count = try varint()
      guard count <= UInt64(end - index) else { throw fault("a field is longer than its message") }
      defer { index += Int(count) }
      return (tag >> 3, .bytes(index..<index + Int(count)))
    case 5: return (tag >> 3, .fixed32(UInt32(try fixed(4))))
    default: throw fault("the unknown wire type \(tag & 7)")
    }
  }

  private mutating func varint() throws -> UInt64 {
    var (value, shift): (UInt64, UInt64) = (0, 0)
    while index < end, shift < 64 {
      let byte = bytes[index]
      index += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
      shift += 7
    }
    throw fault("a number does not end")
  }

  private mutating func fixed(_ count: Int) throws -> UInt64 {
    guard count <= end - index else { throw fault("it ends too early") }
    defer { index += count }
    return (0..<count).reduce(0) { $0 | UInt64(bytes[index + $1]) << UInt64(8 * $1) }
  }

  private func fault(_ message: String) -> Fault { Fault(.invalidData, "no protocol buffer: \(message), at byte \(index)") }
}
