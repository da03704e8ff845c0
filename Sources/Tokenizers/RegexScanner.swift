/// The regular expressions with which byte-level BPE models cut text into words, as hand-written scanners.
///
/// Each expression matches every text from end to end, so a scanner is a function from the start of a word to its end. Alternatives
/// are tried in the expression's order, as a backtracking engine does.
enum RegexScanner: Equatable {
  /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`, of GPT-2.
  case gpt2
  /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,n}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`:
  /// of Llama-3 with n = 3, of Qwen2 with n = 1.
  case llama3(digits: Int)

  /// The scanner of exactly this expression, if there is one.
  init?(pattern: [UInt8]) {
    let lettersAndSo = #"|[^\r\n\p{L}\p{N}]?\p{L}+|"#
    let rest = #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    let folded = ["(?i:'s|'t|'re|'ve|'m|'ll|'d)", "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"]
    func matches(_ text: String) -> Bool { pattern.elementsEqual(text.utf8) }
    if matches(#"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#) {
      self = .gpt2
    } else if matches(folded[0] + lettersAndSo + #"\p{N}{1,3}"# + rest) {
      self = .llama3(digits: 3)
    } else if matches(folded[0] + lettersAndSo + #"\p{N}"# + rest) {
      self = .llama3(digits: 1)
    } else {
      return nil
    }
  }

  /// The end of the word that starts at `start`, for `start < end`; text beyond `end` is not looked at.
  @inline(__always)
  func wordEnd(in bytes: [UInt8], from start: Int, to end: Int) -> Int {
    switch self {
    case .gpt2: Self.gpt2End(bytes, start, end)
    case .llama3(let digits): Self.llama3End(bytes, start, end, digits: digits)
    }
  }

  // MARK: GPT-2

  private static func gpt2End(_ bytes: [UInt8], _ start: Int, _ end: Int) -> Int {
    if bytes[start] == UInt8(ascii: "'"), let contraction = contractionEnd(bytes, start, end, folding: false) { return contraction }
    var (first, next) = scalar(in: bytes, at: start)
    if first == 0x20, next < end {
      let following = scalar(in: bytes, at: next)
      if CharacterClass.of(following.value) != .space { (first, next) = following }
    }
    let kind = CharacterClass.of(first)
    return kind == .space ? spaceEnd(bytes, start, end) : runEnd(of: kind, bytes, next, end)
  }

  // MARK: Llama-3 and Qwen2

  private static func llama3End(_ bytes: [UInt8], _ start: Int, _ end: Int, digits: Int) -> Int {
    if bytes[start] == UInt8(ascii: "'"), let contraction = contractionEnd(bytes, start, end, folding: true) { return contraction }
    let (first, next) = scalar(in: bytes, at: start)
    let kind = CharacterClass.of(first)
    switch kind {
    case .letter: return runEnd(of: .letter, bytes, next, end)
    case .number: return runEnd(of: .number, bytes, next, end, atMost: digits - 1)
    case .space, .other: break
    }
    if next < end {
      let following = scalar(in: bytes, at: next)
      let followingKind = CharacterClass.of(following.value)
      // Any one character but a line end may lead a word.
      if followingKind == .letter, first != 0x0A, first != 0x0D { return runEnd(of: .letter, bytes, following.next, end) }
      if first == 0x20, followingKind == .other {
        return lineEndsEnd(bytes, runEnd(of: .other, bytes, following.next, end), end)
      }
    }
    if kind == .other { return lineEndsEnd(bytes, runEnd(of: .other, bytes, next, end), end) }
    return lastLineEnd(bytes, start, end) ?? spaceEnd(bytes, start, end)
  }

  /// `[\r\n]*`
  private static func lineEndsEnd(_ bytes: [UInt8], _ start: Int, _ end: Int) -> Int {
    var index = start
    while index < end, bytes[index] == 0x0A || bytes[index] == 0x0D { index += 1 }
    return index
  }

  /// `\s*[\r\n]+`: after the last line end of the run of spaces that starts at `start`, if it has one.
  private static func lastLineEnd(_ bytes: [UInt8], _ start: Int, _ end: Int) -> Int? {
    var (index, found): (Int, Int?) = (start, nil)
    while index < end {
      let (value, next) = scalar(in: bytes, at: index)
      guard CharacterClass.of(value) == .space else { break }
      if value == 0x0A || value == 0x0D { found = next }
      index = next
    }
    return found
  }

  // MARK: Shared

  /// The end of the run of characters of class `kind`, of `limit` characters at most, that goes on at `start`.
  @inline(__always)
  private static func runEnd(of kind: CharacterClass, _ bytes: [UInt8], _ start: Int, _ end: Int, atMost limit: Int = .max) -> Int {
    var (index, count) = (start, 0)
    while index < end, count < limit {
      let (value, next) = scalar(in: bytes, at: index)
      guard CharacterClass.of(value) == kind else { break }
      (index, count) = (next, count + 1)
    }
    return index
  }

  /// `\s+(?!\S)|\s+`: the run of spaces, without its last one if a word follows and it has more than one.
  private static func spaceEnd(_ bytes: [UInt8], _ start: Int, _ end: Int) -> Int {
    var (index, last) = (start, start)
    while index < end {
      let (value, next) = scalar(in: bytes, at: index)
      guard CharacterClass.of(value) == .space else { return last > start ? last : index }
      (last, index) = (index, next)
    }
    return index
  }

  /// `'s|'t|'re|'ve|'m|'ll|'d` at the apostrophe `start`. Folding case, U+017F (long s) is an s, as Unicode has it.
  private static func contractionEnd(_ bytes: [UInt8], _ start: Int, _ end: Int, folding: Bool) -> Int? {
    let mask: UInt8 = folding ? 0x20 : 0
    guard start + 1 < end else { return nil }
    let first = bytes[start + 1] | mask
    switch first {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return start + 2
    default: break
    }
    guard start + 2 < end else { return nil }
    if folding, bytes[start + 1] == 0xC5, bytes[start + 2] == 0xBF { return start + 3 }
    let second = bytes[start + 2] | mask
    switch (first, second) {
    case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")), (UInt8(ascii: "l"), UInt8(ascii: "l")):
      return start + 3
    default: return nil
    }
  }
}
