import Checkpoints
import Diagnostics

/// Builds a tokenizer from a tokenizer.json of Hugging Face's `tokenizers`.
struct HuggingFaceTokenizerReader {
  private let json: ByteJSON
  private var tokens: [[UInt8]] = []
  private var kinds: [BytePairTokenizer.Kind] = []

  /// - Parameters:
  ///   - configuration: tokenizer_config.json, or null.
  ///   - endTokens: of the model's configuration; those that no token is are left out.
  /// Throws `Fault(.invalidData)` if the file describes no tokenizer that we can follow to the letter.
  static func tokenizer(from json: ByteJSON, configuration: ByteJSON = .null, endTokens: [Int32] = []) throws -> BytePairTokenizer {
    var reader = HuggingFaceTokenizerReader(json: json)
    return try reader.build(configuration, endTokens)
  }

  private init(json: ByteJSON) { self.json = json }

  private mutating func build(_ configuration: ByteJSON, _ endTokens: [Int32]) throws -> BytePairTokenizer {
    let model = json["model"]
    if let type = model["type"].asText, type != "BPE" {
      throw Fault(.invalidData, "the tokenizer model \"\(type)\" is not supported", hint: "only BPE is")
    }
    try checkOptions(of: model)
    let normalizer = try HuggingFaceComponents.normalizer(json["normalizer"])
    let (steps, isByteLevel) = try HuggingFaceComponents.preTokenizer(json["pre_tokenizer"])
    try readVocabulary(model["vocab"])
    let listed = kinds.map { $0 != .absent }
    let vocabulary = VocabularyTable(tokens) { listed[$0] }
    let merges = try readMerges(model["merges"], vocabulary)
    let unknown = try unknown(model, vocabulary, isByteLevel)
    let added = try readAddedTokens(vocabulary)
    // The ids of added tokens lie in the table, but text does not reach them by merging.
    let table = tokens.count == vocabulary.count ? vocabulary : VocabularyTable(tokens) { $0 < listed.count && listed[$0] }
    let words = try HuggingFaceComponents.flag(model["ignore_merges"], "ignore_merges", default: false)
    let pairs = BytePairModel(
      vocabulary: table, merges: merges, symbols: isByteLevel ? .bytes(BytePairModel.byteIDs(in: table)) : .characters,
      unknown: unknown, takesWholeWords: words)
    return BytePairTokenizer(
      model: pairs, kinds: kinds, normalizer: normalizer, preTokenizer: steps, addedTokens: added,
      beginToken: beginToken(configuration, added, table), endTokens: endTokens.filter { $0 >= 0 && $0 < kinds.count })
  }

  private func checkOptions(of model: ByteJSON) throws {
    for name: StaticString in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let affix = model[name].asBytes, !affix.isEmpty { throw Fault(.invalidData, "a BPE model with \(name) is not supported") }
    }
    if let dropout = model["dropout"].asDouble, dropout != 0 {
      throw Fault(.invalidData, "a BPE model with dropout is not supported: it would tokenize at random")
    }
  }

  // MARK: Vocabulary

  private mutating func readVocabulary(_ json: ByteJSON) throws {
    guard case .object(let members) = json, !members.isEmpty else { throw Fault(.invalidData, "model.vocab is missing or empty") }
    for (token, value) in members { try place(token, at: value.asInt, kind: .normal) }
  }

  private mutating func place(_ token: [UInt8], at id: Int?, kind: BytePairTokenizer.Kind) throws {
    guard let id, (0..<TokenizerLimits.tokens).contains(id) else {
      throw Fault(.invalidData, "the token \"\(Self.text(token))\" has no id from 0 to \(TokenizerLimits.tokens - 1)")
    }
    while tokens.count <= id {
      tokens.append([])
      kinds.append(.absent)
    }
    guard kinds[id] == .absent || tokens[id] == token else {
      throw Fault(.invalidData, "the tokens \"\(Self.text(tokens[id]))\" and \"\(Self.text(token))\" both have the id \(id)")
    }
    (tokens[id], kinds[id]) = (token, kind)
  }

  private func readMerges(_ json: ByteJSON, _ vocabulary: VocabularyTable) throws -> MergeTable {
    guard let lines = json.asArray else { throw Fault(.invalidData, "model.merges is missing, or is no array") }
    try TokenizerLimits.check(mergeCount: lines.count)
    var table = MergeTable(capacity: lines.count)
    for (rank, line) in lines.enumerated() {
      if let text = line.asBytes {
        table.insert(try MergeRule(spaced: text, rank: rank, in: vocabulary))
      } else if let pair = line.asArray, pair.count == 2, let left = pair[0].asBytes, let right = pair[1].asBytes {
        let text = left + right
        table.insert(try MergeRule(text, 0..<left.count, left.count..<text.count, rank: rank, in: vocabulary))
      } else {
        throw Fault(.invalidData, "merge \(rank) is no pair of tokens")
      }
    }
    return table
  }

  private mutating func unknown(_ model: ByteJSON, _ vocabulary: VocabularyTable, _ isByteLevel: Bool) throws -> BytePairModel.Unknown {
    var token: Int32?
    if let name = model["unk_token"].asBytes {
      token = vocabulary.id(of: name)
      if token == nil { throw Fault(.invalidData, "the unknown token \"\(Self.text(name))\" is not in the vocabulary") }
    }
    let fuses = try HuggingFaceComponents.flag(model["fuse_unk"], "fuse_unk", default: false)
    guard try HuggingFaceComponents.flag(model["byte_fallback"], "byte_fallback", default: false) else {
      return BytePairModel.Unknown(bytes: nil, token: token, fuses: fuses)
    }
    if isByteLevel {
      guard !BytePairModel.byteIDs(in: vocabulary).contains(-1) else {
        throw Fault(.invalidData, "byte_fallback with a byte-level vocabulary that lacks bytes is not supported")
      }
      return BytePairModel.Unknown(bytes: nil, token: token, fuses: fuses)
    }
    let hex = Array("0123456789ABCDEF".utf8)
    let bytes = (0..<256).map { vocabulary.id(of: Array("<0x".utf8) + [hex[$0 >> 4], hex[$0 & 15], UInt8(ascii: ">")]) ?? -1 }
    for id in bytes where id >= 0 { kinds[Int(id)] = .byte }
    return BytePairModel.Unknown(bytes: bytes, token: token, fuses: fuses)
  }

  // MARK: Added tokens

  private mutating func readAddedTokens(_ vocabulary: VocabularyTable) throws -> [AddedToken] {
    if json["added_tokens"].isNull { return [] }
    guard let list = json["added_tokens"].asArray else { throw Fault(.invalidData, "added_tokens is no array") }
    return try list.map { item in
      guard let content = item["content"].asBytes else { throw Fault(.invalidData, "an added token has no content") }
      try TokenizerLimits.check(addedToken: content)
      if let known = vocabulary.id(of: content), item["id"].asInt != Int(known) {
        throw Fault(.invalidData, "the added token \"\(Self.text(content))\" has another id than in the vocabulary")
      }
      func flag(_ name: StaticString) throws -> Bool { try HuggingFaceComponents.flag(item[name], "\(name)", default: false) }
      let isSpecial = try flag("special")
      try place(content, at: item["id"].asInt, kind: isSpecial ? .control : .userDefined)
      return AddedToken(
        id: Int32(item["id"].asInt ?? 0), content: content, isSpecial: isSpecial, isNormalized: try flag("normalized"),
        isWholeWord: try flag("single_word"), takesSpaceBefore: try flag("lstrip"), takesSpaceAfter: try flag("rstrip"))
    }
  }

  /// What the post-processor puts first; if there is none, the configuration's `bos_token` if it says `add_bos_token`.
  private func beginToken(_ configuration: ByteJSON, _ added: [AddedToken], _ vocabulary: VocabularyTable) -> Int32? {
    func id(of content: [UInt8]?) -> Int32? {
      content.flatMap { content in added.last { $0.content == content }?.id ?? vocabulary.id(of: content) }
    }
    for processor in [json["post_processor"]] + (json["post_processor"]["processors"].asArray ?? []) {
      if let name = processor["single"].asArray?.first?["SpecialToken"]["id"].asBytes { return id(of: name) }
    }
    guard configuration["add_bos_token"].asBool == true else { return nil }
    return id(of: configuration["bos_token"].asBytes ?? configuration["bos_token"]["content"].asBytes)
  }

  private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes.prefix(80), as: UTF8.self) }
}
