/// GPT-2's reversible alphabet: each of the 256 bytes is written as one printable character, so that a byte string is a JSON string.
///
/// Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", `bytes_to_unicode`.
enum ByteAlphabet {
  /// The scalar that writes each byte; all are below U+0144.
  static let scalars: [UInt16] = {
    var next: UInt16 = 256
    return (0..<256).map { (byte: UInt16) in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return byte
      default:
        defer { next += 1 }
        return next
      }
    }
  }()

  /// The byte that each scalar below U+0144 writes; −1 for none.
  static let bytes: [Int16] = {
    var table = [Int16](repeating: -1, count: 0x144)
    for (byte, scalar) in scalars.enumerated() { table[Int(scalar)] = Int16(byte) }
    return table
  }()

  /// The UTF-8 of the character that writes `byte`.
  static func character(of byte: UInt8) -> [UInt8] {
    let scalar = scalars[Int(byte)]
    return scalar < 0x80 ? [UInt8(scalar)] : [0xC0 | UInt8(scalar >> 6), 0x80 | UInt8(scalar & 0x3F)]
  }

  /// The byte string that `text` writes, or nil if it has a character outside the alphabet.
  static func decode(_ text: [UInt8]) -> [UInt8]? {
    let table = bytes
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    var index = 0
    while index < text.count {
      var scalar = Int(text[index])
      index += 1
      if scalar >= 0x80 {
        guard (0xC2...0xC5).contains(scalar), index < text.count, text[index] & 0xC0 == 0x80 else { return nil }
        scalar = (scalar & 0x1F) << 6 | Int(text[index] & 0x3F)
        index += 1
      }
      guard scalar < table.count, table[scalar] >= 0 else { return nil }
      result.append(UInt8(table[scalar]))
    }
    return result
  }
}
