/// Which words of two texts a longest common subsequence matches. O(a·b) for at most `limit` words each.
struct WordDifference {
  /// A word, the space before it, and whether the other text has the word too.
  struct Piece: Equatable {
    var space: String
    var word: String
    var isCommon: Bool
  }

  let truth: [Piece]
  let guess: [Piece]

  /// Words beyond `limit` are left out.
  init(truth: String, guess: String, limit: Int = 400) {
    let (a, b) = (Self.words(truth, limit), Self.words(guess, limit))
    var table = [[Int]](repeating: [Int](repeating: 0, count: b.count + 1), count: a.count + 1)
    for i in a.indices.reversed() {
      for j in b.indices.reversed() {
        table[i][j] = a[i].word == b[j].word ? table[i + 1][j + 1] + 1 : max(table[i + 1][j], table[i][j + 1])
      }
    }
    var (i, j) = (0, 0)
    var (inA, inB) = ([Bool](repeating: false, count: a.count), [Bool](repeating: false, count: b.count))
    while i < a.count, j < b.count {
      if a[i].word == b[j].word {
        (inA[i], inB[j]) = (true, true)
        (i, j) = (i + 1, j + 1)
      } else if table[i + 1][j] >= table[i][j + 1] {
        i += 1
      } else {
        j += 1
      }
    }
    self.truth = zip(a, inA).map { Piece(space: $0.space, word: $0.word, isCommon: $1) }
    self.guess = zip(b, inB).map { Piece(space: $0.space, word: $0.word, isCommon: $1) }
  }

  private static func words(_ text: String, _ limit: Int) -> [(space: String, word: String)] {
    var out: [(space: String, word: String)] = []
    var (space, word) = ("", "")
    for scalar in text.unicodeScalars {
      if scalar.properties.isWhitespace {
        if !word.isEmpty {
          out.append((space, word))
          if out.count == limit { return out }
          (space, word) = ("", "")
        }
        space.unicodeScalars.append(scalar)
      } else {
        word.unicodeScalars.append(scalar)
      }
    }
    if !word.isEmpty { out.append((space, word)) }
    return out
  }
}
