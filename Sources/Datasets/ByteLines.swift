import Diagnostics

/// The lines of a byte buffer, LF or CRLF, each checked to be UTF-8.
struct ByteLines {
  private let bytes: [UInt8]
  private var position = 0
  private var number = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The next line without its end, and its 1-based number; nil at the end. Throws `Fault` 65 with the line for invalid UTF-8.
  mutating func next(place: String) throws -> (number: Int, text: String)? {
    guard position < bytes.count else { return nil }
    number += 1
    let end = bytes[position...].firstIndex(of: 0x0A) ?? bytes.count
    var line = bytes[position..<end]
    position = min(end + 1, bytes.count)
    if line.last == 0x0D { line.removeLast() }
    guard let text = String(validating: line, as: UTF8.self) else {
      throw Fault(.invalidData, "the line is not valid UTF-8", at: "\(place):\(number)", hint: "iconv -f latin1 -t UTF-8, if it is Latin-1")
    }
    return (number, text)
  }
}
