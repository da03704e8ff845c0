import Diagnostics

/// Reads little-endian fields one after the other from untrusted bytes; every read is checked against the end.
struct ByteReader {
  let bytes: UnsafeRawBufferPointer
  private(set) var offset = 0

  init(_ bytes: UnsafeRawBufferPointer) {
    self.bytes = bytes
  }

  var remaining: Int { bytes.count - offset }

  /// The next `count` bytes; `what` names them in the fault if there are not as many.
  mutating func take(_ count: UInt64, _ what: @autoclosure () -> String) throws -> UnsafeRawBufferPointer {
    guard count <= UInt64(remaining) else {
      throw Fault(.invalidData, "truncated: \(what()) needs \(count) bytes at offset \(offset), and \(remaining) are left")
    }
    let start = offset
    offset += Int(count)
    return UnsafeRawBufferPointer(rebasing: bytes[start..<offset])
  }

  mutating func integer<T: FixedWidthInteger>(_ type: T.Type, _ what: @autoclosure () -> String) throws -> T {
    T(littleEndian: try take(UInt64(MemoryLayout<T>.size), what()).loadUnaligned(as: T.self))
  }

  mutating func float(_ what: @autoclosure () -> String) throws -> Float { Float(bitPattern: try integer(UInt32.self, what())) }

  mutating func double(_ what: @autoclosure () -> String) throws -> Double { Double(bitPattern: try integer(UInt64.self, what())) }
}
