/// Turns words into small integers, so that n-grams compare fast. Words are equal if their UTF-8 bytes are: Swift's `String` equality would also
/// unite canonically equivalent spellings, which the reference implementations keep apart.
package struct WordVocabulary {
  private var known: [ArraySlice<UInt8>: Int] = [:]

  package init() {}

  package mutating func identifiers(_ words: [ArraySlice<UInt8>]) -> [Int] {
    words.map { word in
      if let id = known[word] { return id }
      let id = known.count
      known[word] = id
      return id
    }
  }
}

/// rouge_score's default tokenizer: `text.lower()`, then the maximal runs of [a-z0-9].
package func rougeWords(_ text: String) -> [ArraySlice<UInt8>] {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(text.utf8.count)
  for scalar in text.unicodeScalars {
    switch scalar.value {
    case 0x30...0x39, 0x61...0x7A: bytes.append(UInt8(truncatingIfNeeded: scalar.value))
    case 0x41...0x5A: bytes.append(UInt8(truncatingIfNeeded: scalar.value + 0x20))
    case 0x212A: bytes.append(0x6B)  // KELVIN SIGN is lower-cased to k
    case 0x130: bytes += [0x69, 0x20]  // İ is lower-cased to i and a combining dot
    default: bytes.append(0x20)
    }
  }
  return bytes.split(separator: 0x20)
}

/// Python's `str.split()`: words between runs of what Python calls white space.
package func whitespaceWords(_ text: String) -> [ArraySlice<UInt8>] {
  text.unicodeScalars.split(whereSeparator: isPythonSpace).map { word in
    var bytes: [UInt8] = []
    for scalar in word { bytes += UTF8.encode(scalar)! }
    return bytes[...]
  }
}

/// Python's `str.isspace`: it differs from Unicode's White_Space by U+001C…U+001F.
package func isPythonSpace(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.value {
  case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
  default: false
  }
}
