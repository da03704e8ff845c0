import Diagnostics

extension MergeRule {
  /// The merge that a line `left right` states. Throws `Fault(.invalidData)` unless both tokens and their union are in `vocabulary`.
  init(spaced line: [UInt8], rank: Int, in vocabulary: VocabularyTable) throws {
    guard let space = line.firstIndex(of: 0x20), !line[(space + 1)...].contains(0x20) else {
      throw Fault(.invalidData, "merge \(rank) (\"\(Self.text(line))\") is no pair of tokens with a space between")
    }
    try self.init(line, 0..<space, space + 1..<line.count, rank: rank, in: vocabulary)
  }

  /// The merge of the tokens at `left` and `right` of `text`.
  init(_ text: [UInt8], _ left: Range<Int>, _ right: Range<Int>, rank: Int, in vocabulary: VocabularyTable) throws {
    guard let leftID = vocabulary.id(of: text, left), let rightID = vocabulary.id(of: text, right) else {
      throw Fault(.invalidData, "merge \(rank) (\"\(Self.text(text))\") joins a token that is not in the vocabulary")
    }
    guard let result = vocabulary.id(of: text, left, right) else {
      throw Fault(.invalidData, "merge \(rank) (\"\(Self.text(text))\") makes a token that is not in the vocabulary")
    }
    self.init(left: leftID, right: rightID, result: result, rank: UInt32(rank))
  }

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes.prefix(80), as: UTF8.self) }
}

extension BytePairModel {
  /// The id of each byte's character of `ByteAlphabet`, −1 where the vocabulary has none.
  static func byteIDs(in vocabulary: VocabularyTable) -> [Int32] {
    (0..<256).map { vocabulary.id(of: ByteAlphabet.character(of: UInt8($0))) ?? -1 }
  }
}
