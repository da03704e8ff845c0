/// The least number of insertions, deletions and substitutions of characters that turn `pattern` into some part of `text` (Sellers 1980).
/// O(|pattern| · |text|) time. An empty pattern is part of every text.
func distanceToPart(of text: String, from pattern: String) -> Int {
  let (pattern, text) = (Array(pattern), Array(text))
  // Distances of all prefixes of the pattern to a part that ends here; a part may begin anywhere, so the empty prefix costs nothing.
  var column = Array(0...pattern.count)
  var least = pattern.count
  for character in text {
    var diagonal = column[0]
    for i in pattern.indices {
      let substituted = diagonal + (pattern[i] == character ? 0 : 1)
      diagonal = column[i + 1]
      column[i + 1] = min(substituted, column[i] + 1, column[i + 1] + 1)
    }
    least = min(least, column[pattern.count])
  }
  return least
}
