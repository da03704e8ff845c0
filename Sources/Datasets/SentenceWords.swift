/// A text as words, with the places where sentences begin.
struct SentenceWords {
  let words: [Substring]
  /// Indices of words that begin a sentence, ascending. A paragraph begins one.
  let starts: [Int]
  private let isStart: Set<Int>

  /// Words are separated by white space; stage directions in brackets (`[Laughter]`) are dropped.
  init(_ text: String) {
    var (words, starts): ([Substring], [Int]) = ([], [])
    for paragraph in text.split(whereSeparator: \.isNewline) {
      var begins = true
      let plain = SentenceWords.withoutDirections(paragraph)
      for word in plain.split(whereSeparator: \.isWhitespace) {
        if begins || (words.last.map(SentenceWords.ends) ?? true) && SentenceWords.canBegin(word) { starts.append(words.count) }
        begins = false
        words.append(word)
      }
    }
    (self.words, self.starts, isStart) = (words, starts, Set(starts))
  }

  func text(_ range: Range<Int>) -> String { words[range].joined(separator: " ") }

  /// The run from `start` described in `PassageSampling.passages`, or nil when the text ends too early.
  func run(from start: Int, tokens: ClosedRange<Int>, tokenize: Tokenize) throws -> Range<Int>? {
    let limit = min(words.count, start + tokens.upperBound)
    func count(_ end: Int) throws -> Int { try tokenize(text(start..<end)).count }
    var (low, high) = (start, limit)
    while low < high {
      let middle = (low + high + 1) / 2
      if try count(middle) <= tokens.upperBound { low = middle } else { high = middle - 1 }
    }
    guard low > start, tokens.contains(try count(low)) else { return nil }
    for end in stride(from: low, to: start, by: -1) where end == words.count || isStart.contains(end) {
      let length = try count(end)
      if tokens.contains(length) { return start..<end }
      if length < tokens.lowerBound { break }
    }
    return start..<low
  }

  private static func withoutDirections(_ text: Substring) -> String {
    guard text.contains("[") else { return String(text) }
    var out = ""
    var rest = text
    while let open = rest.firstIndex(of: "["), let close = rest[open...].firstIndex(of: "]") {
      out += rest[..<open]
      rest = rest[rest.index(after: close)...]
    }
    return out + rest
  }

  private static let closers: Set<Character> = ["\"", "'", ")", "]", "”", "’"]
  private static let openers: Set<Character> = ["\"", "'", "(", "[", "“", "‘"]
  private static let abbreviations: Set<Substring> = [
    "Mr.", "Mrs.", "Ms.", "Dr.", "St.", "No.", "Gen.", "Col.", "Lt.", "Capt.", "Gov.", "Sen.", "Rep.", "Hon.", "Messrs.", "Jr.", "Sr.",
    "vs.", "Art.",
  ]

  /// A word that ends a sentence: `.`, `?` or `!` behind closing marks, not an abbreviation or an initial.
  private static func ends(_ word: Substring) -> Bool {
    var core = word
    while let last = core.last, closers.contains(last) { core.removeLast() }
    guard let last = core.last, last == "." || last == "?" || last == "!" else { return false }
    let isInitial = last == "." && core.count == 2 && core.first?.isUppercase == true
    let isDotted = last == "." && core.dropLast().contains(".")
    return !isInitial && !isDotted && !abbreviations.contains(core)
  }

  private static func canBegin(_ word: Substring) -> Bool {
    guard let first = word.first(where: { !openers.contains($0) }) else { return false }
    return first.isUppercase || first.isNumber
  }
}
