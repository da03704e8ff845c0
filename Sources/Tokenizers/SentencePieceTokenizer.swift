/// Puts a SentencePiece BPE together from its pieces.
enum SentencePieceTokenizer {
  /// Throws `Fault(.invalidData)` if the pieces make no BPE; see `SentencePieceMerges`.
  static func build(
    tokens: [[UInt8]], kinds: [BytePairTokenizer.Kind], scores: [Float], unknown: Int32?, prefixesSpace: Bool,
    addedTokens: [AddedToken], beginToken: Int32?, endTokens: [Int32]
  ) throws -> BytePairTokenizer {
    // Control tokens and bytes are no pieces: text never becomes them by merging.
    let vocabulary = VocabularyTable(tokens) { kinds[$0] == .normal || kinds[$0] == .unused }
    let merges = try SentencePieceMerges(vocabulary, kinds: kinds, scores: scores)
    var bytes = [Int32](repeating: -1, count: 256)
    for id in tokens.indices where kinds[id] == .byte {
      if let byte = BytePairTokenizer.byte(of: tokens[id]) { bytes[Int(byte)] = Int32(id) }
    }
    let model = BytePairModel(
      vocabulary: vocabulary, merges: merges.merges, symbols: .characters,
      unknown: BytePairModel.Unknown(bytes: kinds.contains(.byte) ? bytes : nil, token: unknown, fuses: true),
      loneCharacters: merges.loneCharacters)
    let marker = BytePairModel.marker
    return BytePairTokenizer(
      model: model, kinds: kinds,
      normalizer: (prefixesSpace ? [.prependAtStart(marker)] : []) + [.replace([0x20], with: marker)], preTokenizer: [],
      addedTokens: addedTokens, beginToken: beginToken, endTokens: endTokens)
  }
}
