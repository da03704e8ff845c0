@_spi(_Unicode) import Swift

/// What is done to the text between added tokens before it is cut into words.
enum NormalizerStep: Sendable, Equatable {
  /// Unicode Normalization Form C.
  case composed
  /// Puts the string before text that is not empty.
  case prepend([UInt8])
  /// The same, but only at the start of the whole text, as SentencePiece does.
  case prependAtStart([UInt8])
  /// Replaces every occurrence of a string that is not empty.
  case replace([UInt8], with: [UInt8])

  /// Applies the step to `text`, which starts the whole text if `atStart`.
  func apply(to text: inout [UInt8], atStart: Bool) {
    switch self {
    case .composed: Self.compose(&text)
    case .prepend(let prefix): if !text.isEmpty { text.insert(contentsOf: prefix, at: 0) }
    case .prependAtStart(let prefix): if !text.isEmpty, atStart { text.insert(contentsOf: prefix, at: 0) }
    case .replace(let pattern, let content): text = text.replacing(pattern, with: content)
    }
  }

  private static func compose(_ text: inout [UInt8]) {
    // Text below U+0300 has no combining character and no character that decomposes and does not compose again.
    if text.allSatisfy({ $0 < 0xCC }) { return }
    var composed = String.UnicodeScalarView()
    composed.append(contentsOf: ordered(String(decoding: text, as: UTF8.self).unicodeScalars)._nfc)
    text = Array(String(composed).utf8)
  }

  /// `text` with each run of combining characters in canonical order.
  ///
  /// The standard library orders them by insertion, in quadratic time; runs that are in order already cost it nothing.
  private static func ordered(_ text: String.UnicodeScalarView) -> String {
    var result = String.UnicodeScalarView()
    var run: [(rank: UInt8, scalar: Unicode.Scalar)] = []
    func finishRun() {
      if run.count > 1 { run.sort { $0.rank < $1.rank } }
      for mark in run { result.append(mark.scalar) }
      run.removeAll(keepingCapacity: true)
    }
    func add(_ scalar: Unicode.Scalar) {
      let rank = scalar.properties.canonicalCombiningClass.rawValue
      if rank != 0 { return run.append((rank, scalar)) }
      finishRun()
      result.append(scalar)
    }
    for scalar in text {
      switch scalar {
      // The only characters that do not combine themselves, but whose decomposition does from its start.
      case "\u{0F73}", "\u{0F75}", "\u{0F81}":
        add("\u{0F71}")
        add(scalar == "\u{0F73}" ? "\u{0F72}" : scalar == "\u{0F75}" ? "\u{0F74}" : "\u{0F80}")
      default: add(scalar)
      }
    }
    finishRun()
    return String(result)
  }
}

extension [UInt8] {
  /// The bytes with each occurrence of `pattern` replaced, from the left, without overlap.
  func replacing(_ pattern: [UInt8], with content: [UInt8]) -> [UInt8] {
    guard let first = pattern.first else { return self }
    var result: [UInt8] = []
    result.reserveCapacity(count + count / 4)
    var index = 0
    while index < count {
      if self[index] == first, self[index...].starts(with: pattern) {
        result.append(contentsOf: content)
        index += pattern.count
      } else {
        result.append(self[index])
        index += 1
      }
    }
    return result
  }
}
