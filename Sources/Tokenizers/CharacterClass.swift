/// The classes that the pre-tokenizers' regular expressions tell apart: `\p{L}`, `\p{N}`, `\s`, and the rest.
enum CharacterClass: UInt8 {
  case letter, number, space, other

  /// The class of a scalar.
  ///
  /// Hugging Face's `tokenizers` 0.23 bundles an Oniguruma with Unicode 16, so characters assigned later are "other" to it, whatever
  /// our Swift runtime knows. Assigned characters do not change between these classes.
  @inline(__always)
  static func of(_ scalar: UInt32) -> CharacterClass {
    scalar < 0x80 ? ascii[Int(scalar)] : beyondASCII(scalar)
  }

  private static let ascii: [CharacterClass] = (0..<0x80).map { (value: UInt8) in
    switch value {
    case 0x30...0x39: .number
    case 0x41...0x5A, 0x61...0x7A: .letter
    case 0x09...0x0D, 0x20: .space
    default: .other
    }
  }

  private static func beyondASCII(_ value: UInt32) -> CharacterClass {
    guard let scalar = Unicode.Scalar(value) else { return .other }
    switch value {
    case 0x4E00...0x9FFF, 0xAC00...0xD7A3: return .letter
    case 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: return .space
    default: break
    }
    let found: CharacterClass
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: found = .letter
    case .decimalNumber, .letterNumber, .otherNumber: found = .number
    default: return .other
    }
    return isAssigned(scalar, inUnicode: 16) ? found : .other
  }

  /// Rust's `char::is_numeric` of Hugging Face's `Digits`: general categories Nd, Nl and No, of Unicode 17.
  static func isNumeric(_ value: UInt32) -> Bool {
    if value < 0x80 { return (0x30...0x39).contains(value) }
    guard let scalar = Unicode.Scalar(value) else { return false }
    switch scalar.properties.generalCategory {
    case .decimalNumber, .letterNumber, .otherNumber: return isAssigned(scalar, inUnicode: 17)
    default: return false
    }
  }

  /// `\w` of Rust's regular expressions, for added tokens that must be whole words (UTS 18, annex C).
  static func isWord(_ value: UInt32) -> Bool {
    guard let properties = Unicode.Scalar(value)?.properties else { return false }
    if properties.isAlphabetic || properties.isJoinControl { return true }
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
    default: return false
    }
  }

  private static func isAssigned(_ scalar: Unicode.Scalar, inUnicode major: Int) -> Bool {
    scalar.properties.age.map { $0.major <= major } ?? false
  }
}
