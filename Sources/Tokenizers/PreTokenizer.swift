/// One step of cutting text into words, within which merges happen.
enum PreTokenizerStep: Sendable, Equatable {
  /// Cuts at the matches of an expression that matches everything.
  case expression(RegexScanner)
  /// Cuts at the matches of a string that is not empty.
  case literal([UInt8], SplitBehavior, inverted: Bool)
  /// Cuts out digits, each alone or in runs.
  case digits(individually: Bool)
  /// SentencePiece's spaces: replaced by a visible character, put before the text, and perhaps a place to cut.
  case metaspace(replacement: [UInt8], PrependScheme, splits: Bool)
  /// Puts a space before each word that has none.
  case prefixSpace

  enum PrependScheme: String, Sendable {
    case first, always, never
  }
}

/// What becomes of the matches at which a text is cut; the names are Hugging Face's.
enum SplitBehavior: String, Sendable {
  case removed = "Removed"
  case isolated = "Isolated"
  case mergedWithPrevious = "MergedWithPrevious"
  case mergedWithNext = "MergedWithNext"
  case contiguous = "Contiguous"
}

/// A text and the words that it is cut into so far.
struct PreTokenizedText {
  private(set) var bytes: [UInt8]
  private(set) var words: [Range<Int>]
  private let atStart: Bool

  /// `bytes` as one word, which starts the whole text if `atStart`.
  init(_ bytes: [UInt8], atStart: Bool) {
    self.bytes = bytes
    self.atStart = atStart
    words = bytes.isEmpty ? [] : [0..<bytes.count]
  }

  mutating func apply(_ step: PreTokenizerStep) {
    switch step {
    case .expression(let scanner): cut(by: scanner)
    case .literal(let pattern, let behavior, let inverted):
      cut(behavior) { Self.matches(of: pattern, in: $0, $1, inverted: inverted) }
    case .digits(let individually):
      cut(individually ? .isolated : .contiguous) { bytes, word in
        Self.matches(in: bytes, word) { CharacterClass.isNumeric($0) }
      }
    case .metaspace(let replacement, let scheme, let splits):
      replace(space: replacement)
      if scheme != .never { prepend(replacement, onlyFirst: scheme == .first) }
      if splits { cut(.mergedWithNext) { Self.matches(of: replacement, in: $0, $1, inverted: false) } }
    case .prefixSpace: prepend([0x20], onlyFirst: false)
    }
  }

  // MARK: Cutting

  private mutating func cut(by scanner: RegexScanner) {
    var cut: [Range<Int>] = []
    cut.reserveCapacity(max(words.count, bytes.count / 4))
    for word in words {
      var start = word.lowerBound
      while start < word.upperBound {
        let end = scanner.wordEnd(in: bytes, from: start, to: word.upperBound)
        cut.append(start..<end)
        start = end
      }
    }
    words = cut
  }

  private typealias Piece = (range: Range<Int>, isMatch: Bool)

  private mutating func cut(_ behavior: SplitBehavior, _ pieces: ([UInt8], Range<Int>) -> [Piece]) {
    var cut: [Range<Int>] = []
    for word in words { Self.join(pieces(bytes, word), behavior, into: &cut) }
    words = cut
  }

  private static func join(_ pieces: [Piece], _ behavior: SplitBehavior, into words: inout [Range<Int>]) {
    let first = words.count
    var previousIsMatch = false
    for (index, piece) in pieces.enumerated() {
      let joins: Bool
      switch behavior {
      case .removed:
        if !piece.isMatch { words.append(piece.range) }
        continue
      case .isolated: joins = false
      case .contiguous: joins = index > 0 && piece.isMatch == previousIsMatch
      // A match joins the text before it; only the first of several does.
      case .mergedWithPrevious: joins = piece.isMatch && index > 0 && !previousIsMatch
      // Text joins the match before it.
      case .mergedWithNext: joins = !piece.isMatch && index > 0 && previousIsMatch
      }
      if joins, words.count > first {
        words[words.count - 1] = words[words.count - 1].lowerBound..<piece.range.upperBound
      } else {
        words.append(piece.range)
      }
      previousIsMatch = piece.isMatch
    }
  }

  /// The characters of `word` that satisfy `isMatch`, and the text between them.
  private static func matches(in bytes: [UInt8], _ word: Range<Int>, _ isMatch: (UInt32) -> Bool) -> [Piece] {
    var pieces: [Piece] = []
    var (index, textStart) = (word.lowerBound, word.lowerBound)
    while index < word.upperBound {
      let (value, next) = scalar(in: bytes, at: index)
      if isMatch(value) {
        if textStart < index { pieces.append((textStart..<index, false)) }
        pieces.append((index..<next, true))
        textStart = next
      }
      index = next
    }
    if textStart < word.upperBound { pieces.append((textStart..<word.upperBound, false)) }
    return pieces
  }

  /// The occurrences of `pattern` in `word`, and the text between them.
  private static func matches(of pattern: [UInt8], in bytes: [UInt8], _ word: Range<Int>, inverted: Bool) -> [Piece] {
    var pieces: [Piece] = []
    var (index, textStart) = (word.lowerBound, word.lowerBound)
    while index < word.upperBound {
      guard bytes[index] == pattern[0], bytes[index..<word.upperBound].starts(with: pattern) else {
        index += 1
        continue
      }
      if textStart < index { pieces.append((textStart..<index, inverted)) }
      pieces.append((index..<index + pattern.count, !inverted))
      index += pattern.count
      textStart = index
    }
    if textStart < word.upperBound { pieces.append((textStart..<word.upperBound, inverted)) }
    return pieces
  }

  // MARK: Changing the text

  private mutating func replace(space replacement: [UInt8]) {
    rebuild { out, word, bytes in
      for index in word {
        if bytes[index] == 0x20 { out.append(contentsOf: replacement) } else { out.append(bytes[index]) }
      }
    }
  }

  private mutating func prepend(_ prefix: [UInt8], onlyFirst: Bool) {
    let atStart = atStart
    rebuild { out, word, bytes in
      if !onlyFirst || (atStart && word.lowerBound == 0), !bytes[word].starts(with: prefix) { out.append(contentsOf: prefix) }
      out.append(contentsOf: bytes[word])
    }
  }

  private mutating func rebuild(_ write: (inout [UInt8], Range<Int>, [UInt8]) -> Void) {
    var out: [UInt8] = []
    out.reserveCapacity(bytes.count + bytes.count / 4)
    for index in words.indices {
      let start = out.count
      write(&out, words[index], bytes)
      words[index] = start..<out.count
    }
    bytes = out
  }
}
