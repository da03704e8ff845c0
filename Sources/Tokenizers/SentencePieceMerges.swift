import Diagnostics

/// The merges that SentencePiece's BPE does implicitly: it joins the two neighbours that make the piece of highest score.
///
/// Kudo and Richardson 2018, arXiv:1808.06226; `bpe_model.cc` of sentencepiece.
struct SentencePieceMerges {
  let merges: MergeTable
  /// Characters that no piece is, but which pieces contain; see `BytePairModel.loneCharacters`.
  let loneCharacters: VocabularyTable

  /// Finds all ways to make a normal piece from two symbols, each a piece or a single character.
  ///
  /// Throws `Fault(.invalidData)` for scores that are not finite, and for unused pieces that merges can reach, because SentencePiece
  /// cuts those up again.
  init(_ vocabulary: VocabularyTable, kinds: [BytePairTokenizer.Kind], scores: [Float]) throws {
    guard scores.count == vocabulary.count else {
      throw Fault(.invalidData, "the vocabulary has \(vocabulary.count) tokens and \(scores.count) scores")
    }
    guard scores.allSatisfy(\.isFinite) else { throw Fault(.invalidData, "a token's score is not a finite number") }
    let ranks = Self.ranks(scores)
    let lone = Self.loneCharacters(vocabulary, kinds)
    var rules: [MergeRule] = []
    for id in 0..<vocabulary.count where kinds[id] == .normal || kinds[id] == .unused {
      let piece = [UInt8](vocabulary.string(of: id))
      // Of equal pieces only the one that lookups find can be made.
      guard piece.count > 1, vocabulary.id(of: piece) == Int32(id) else { continue }
      var cut = scalar(in: piece, at: 0).next
      let secondStart = cut
      while cut < piece.count {
        let next = scalar(in: piece, at: cut).next
        if let left = Self.symbol(piece, 0..<cut, isSingle: cut == secondStart, vocabulary, lone),
          let right = Self.symbol(piece, cut..<piece.count, isSingle: next == piece.count, vocabulary, lone)
        {
          if kinds[id] == .unused { throw Fault(.invalidData, "token \(id) is marked unused, but merges reach it; that is not supported") }
          rules.append(MergeRule(left: left, right: right, result: Int32(id), rank: ranks[id]))
        }
        cut = next
      }
    }
    var table = MergeTable(capacity: rules.count)
    for rule in rules { table.insert(rule) }
    merges = table
    loneCharacters = lone
  }

  private static func symbol(
    _ piece: [UInt8], _ range: Range<Int>, isSingle: Bool, _ vocabulary: VocabularyTable, _ lone: VocabularyTable
  ) -> Int32? {
    vocabulary.id(of: piece, range) ?? (isSingle ? lone.id(of: piece, range).map { Int32(vocabulary.count) + $0 } : nil)
  }

  private static func loneCharacters(_ vocabulary: VocabularyTable, _ kinds: [BytePairTokenizer.Kind]) -> VocabularyTable {
    var seen: Set<UInt32> = []
    var characters: [[UInt8]] = []
    for id in 0..<vocabulary.count where kinds[id] == .normal || kinds[id] == .unused {
      let piece = [UInt8](vocabulary.string(of: id))
      var index = 0
      while index < piece.count {
        let (value, next) = scalar(in: piece, at: index)
        if seen.insert(value).inserted, vocabulary.id(of: piece, index..<next) == nil { characters.append([UInt8](piece[index..<next])) }
        index = next
      }
    }
    return VocabularyTable(characters)
  }

  /// Zero for the highest score, one for the next, and so on; equal scores have equal ranks, so that the leftmost goes first.
  private static func ranks(_ scores: [Float]) -> [UInt32] {
    var ranks = [UInt32](repeating: 0, count: scores.count)
    var (rank, previous): (UInt32, Float?) = (0, nil)
    for id in scores.indices.sorted(by: { scores[$0] > scores[$1] }) {
      if let previous, previous != scores[id] { rank += 1 }
      previous = scores[id]
      ranks[id] = rank
    }
    return ranks
  }
}
