/// Cuts a text to a number of tokens.
enum Shortening {
  /// The text, cut as `TextFile.documents` says, and its number of tokens (at most `limit`, unless its first character alone has more).
  static func cut(_ text: String, to limit: Int, tokenize: Tokenize) throws -> (text: String, tokens: Int) {
    // A token has at most a few dozen bytes, so a long text need not be tokenised whole: look at no more than 64 bytes a token first.
    let (window, overflow) = limit.multipliedReportingOverflow(by: 64)
    var head = text[...]
    if !overflow, text.utf8.count > window {
      var end = text.utf8.index(text.startIndex, offsetBy: window)
      while end > text.startIndex, String.Index(end, within: text) == nil { end = text.utf8.index(before: end) }
      head = text[..<end]
    }
    if head.endIndex == text.endIndex {
      let count = try tokenize(text).count
      if count <= limit { return (text, count) }
    }
    let words = ends(of: head) { $0.isWhitespace }
    if let found = try longest(head, words, limit, tokenize) { return found }
    let characters = head.indices.prefix(min(limit, 1 << 20) * 8 + 8).map { head.index(after: $0) }
    return try longest(head, characters, limit, tokenize) ?? ("", 0)
  }

  /// The places where a word ends: before white space that follows something else.
  private static func ends(of text: Substring, isSpace: (Character) -> Bool) -> [String.Index] {
    var (out, inWord): ([String.Index], Bool) = ([], false)
    for index in text.indices {
      let space = isSpace(text[index])
      if space && inWord { out.append(index) }
      inWord = !space
    }
    return out
  }

  /// The longest prefix at one of `ends` (ascending) with 1…limit tokens, by bisection; nil when there is none.
  private static func longest(
    _ text: Substring, _ ends: [String.Index], _ limit: Int, _ tokenize: Tokenize
  ) throws -> (text: String, tokens: Int)? {
    var (low, high) = (0, ends.count)
    var best: (text: String, tokens: Int)?
    while low < high {
      let middle = (low + high) / 2
      let prefix = String(text[..<ends[middle]])
      let count = try tokenize(prefix).count
      if count <= limit {
        if count > 0 { best = (prefix, count) }
        low = middle + 1
      } else {
        high = middle
      }
    }
    return best
  }
}
