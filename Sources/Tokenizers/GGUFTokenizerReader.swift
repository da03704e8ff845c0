import Checkpoints
import Diagnostics

/// Builds a tokenizer from the `tokenizer.ggml.*` metadata of a GGUF file.
struct GGUFTokenizerReader {
  private let metadata: [String: GGUFValue]
  private let tokens: [[UInt8]]
  private let kinds: [BytePairTokenizer.Kind]

  /// Throws `Fault(.invalidData)` if the metadata describes no tokenizer that we can follow to the letter.
  static func tokenizer(from metadata: [String: GGUFValue]) throws -> BytePairTokenizer {
    let model = metadata["tokenizer.ggml.model"]?.asString
    switch model {
    case "gpt2": return try GGUFTokenizerReader(metadata).byteLevel()
    case "llama": return try GGUFTokenizerReader(metadata).sentencePiece()
    case nil: throw Fault(.invalidData, "the file has no tokenizer (no tokenizer.ggml.model)")
    case let name?:
      throw Fault(.invalidData, "tokenizer model \"\(name)\" is not supported", hint: nameHint(name, among: ["gpt2", "llama"]))
    }
  }

  private init(_ metadata: [String: GGUFValue]) throws {
    self.metadata = metadata
    guard let tokens = metadata["tokenizer.ggml.tokens"]?.asStrings, !tokens.isEmpty else {
      throw Fault(.invalidData, "tokenizer.ggml.tokens is missing or empty, or is no array of strings")
    }
    try TokenizerLimits.check(tokenCount: tokens.count)
    self.tokens = tokens
    guard let value = metadata["tokenizer.ggml.token_type"] else {
      kinds = tokens.map { $0.isEmpty ? .absent : .normal }
      return
    }
    guard let types = value.asIntegers, types.count == tokens.count else {
      throw Fault(.invalidData, "tokenizer.ggml.token_type does not have one number for each of the \(tokens.count) tokens")
    }
    kinds = try zip(types, tokens).map { type, token in
      guard (1...6).contains(type), let kind = BytePairTokenizer.Kind(rawValue: UInt8(type)) else {
        throw Fault(.invalidData, "tokenizer.ggml.token_type holds \(type); expected 1 to 6")
      }
      return token.isEmpty && kind == .normal ? .absent : kind
    }
  }

  // MARK: Byte-level BPE

  /// What the names in `tokenizer.ggml.pre` mean.
  private struct Pre {
    var normalizer: [NormalizerStep] = []
    var steps: [PreTokenizerStep]
    var takesWholeWords = false
    var addsBegin = false

    static func named(_ name: String) -> Pre? {
      switch name {
      case "gpt-2", "phi-2": Pre(steps: [.expression(.gpt2)])
      case "smollm", "starcoder", "refact": Pre(steps: [.digits(individually: true), .expression(.gpt2)])
      case "llama-bpe", "llama3", "llama-v3": Pre(steps: [.expression(.llama3(digits: 3))], takesWholeWords: true, addsBegin: true)
      case "qwen2", "deepseek-r1-qwen": Pre(normalizer: [.composed], steps: [.expression(.llama3(digits: 1))])
      default: nil
      }
    }

    static let known = ["gpt-2", "smollm", "llama-bpe", "qwen2", "phi-2", "starcoder", "refact", "llama3", "llama-v3", "deepseek-r1-qwen"]
  }

  private func byteLevel() throws -> BytePairTokenizer {
    guard let name = metadata["tokenizer.ggml.pre"]?.asString else {
      throw Fault(
        .invalidData, "tokenizer.ggml.pre is missing, so it is not known how text is cut into words",
        hint: "convert the model again with a current llama.cpp")
    }
    guard let pre = Pre.named(name) else {
      throw Fault(.invalidData, "pre-tokenizer \"\(name)\" is not supported", hint: nameHint(name, among: Pre.known))
    }
    if try flag("add_space_prefix") == true { throw Fault(.invalidData, "add_space_prefix is not supported with byte-level BPE") }
    let vocabulary = VocabularyTable(tokens)
    let model = BytePairModel(
      vocabulary: vocabulary, merges: try listedMerges(vocabulary), symbols: .bytes(BytePairModel.byteIDs(in: vocabulary)),
      unknown: BytePairModel.Unknown(bytes: nil, token: nil, fuses: false), takesWholeWords: pre.takesWholeWords)
    return BytePairTokenizer(
      model: model, kinds: kinds, normalizer: pre.normalizer, preTokenizer: pre.steps, addedTokens: try addedTokens(),
      beginToken: try beginToken(byDefault: pre.addsBegin), endTokens: try endTokens())
  }

  /// `tokenizer.ggml.merges`: lines of two tokens with a space between.
  private func listedMerges(_ vocabulary: VocabularyTable) throws -> MergeTable {
    guard let lines = metadata["tokenizer.ggml.merges"]?.asStrings else {
      throw Fault(.invalidData, "tokenizer.ggml.merges is missing, or is no array of strings")
    }
    try TokenizerLimits.check(mergeCount: lines.count)
    var table = MergeTable(capacity: lines.count)
    for (rank, line) in lines.enumerated() {
      table.insert(try MergeRule(spaced: line, rank: rank, in: vocabulary))
    }
    return table
  }

  // MARK: SentencePiece

  private func sentencePiece() throws -> BytePairTokenizer {
    if try flag("remove_extra_whitespaces") == true {
      throw Fault(.invalidData, "a SentencePiece model that removes extra white space is not supported")
    }
    if let map = metadata["tokenizer.ggml.precompiled_charsmap"] {
      switch map {
      case .integers([]), .string([]): break
      default: throw Fault(.invalidData, "a SentencePiece model with a normalization map (precompiled_charsmap) is not supported")
      }
    }
    guard let scores = metadata["tokenizer.ggml.scores"]?.asFloats else {
      throw Fault(.invalidData, "tokenizer.ggml.scores is missing, or is no array of floats")
    }
    let unknown = try token("unknown_token_id") ?? kinds.firstIndex(of: .unknown).map { Int32($0) }
    return try SentencePieceTokenizer.build(
      tokens: tokens, kinds: kinds, scores: scores, unknown: unknown, prefixesSpace: try flag("add_space_prefix") ?? true,
      addedTokens: try addedTokens(normalizingUserDefined: true), beginToken: try beginToken(byDefault: true), endTokens: try endTokens())
  }

  // MARK: Shared

  /// - Parameter normalizingUserDefined: SentencePiece finds its user-defined pieces after it has replaced the spaces.
  private func addedTokens(normalizingUserDefined: Bool = false) throws -> [AddedToken] {
    try kinds.indices.compactMap { id in
      switch kinds[id] {
      case .control, .unknown, .userDefined:
        try TokenizerLimits.check(addedToken: tokens[id])
        let isSpecial = kinds[id] != .userDefined
        return AddedToken(
          id: Int32(id), content: tokens[id], isSpecial: isSpecial, isNormalized: normalizingUserDefined && !isSpecial)
      case .absent, .normal, .unused, .byte: return nil
      }
    }
  }

  private func flag(_ name: String) throws -> Bool? {
    guard let value = metadata["tokenizer.ggml.\(name)"] else { return nil }
    guard let flag = value.asBool else { throw Fault(.invalidData, "tokenizer.ggml.\(name) is \(value.kind); expected a bool") }
    return flag
  }

  private func token(_ name: String) throws -> Int32? {
    guard let value = metadata["tokenizer.ggml.\(name)"] else { return nil }
    guard let id = value.asInt, tokens.indices.contains(id) else {
      throw Fault(.invalidData, "tokenizer.ggml.\(name) is no id of the \(tokens.count) tokens")
    }
    return Int32(id)
  }

  private func beginToken(byDefault: Bool) throws -> Int32? {
    try flag("add_bos_token") ?? byDefault ? token("bos_token_id") : nil
  }

  private func endTokens() throws -> [Int32] {
    var ids: [Int32] = []
    for name in ["eos_token_id", "eot_token_id", "eom_token_id"] {
      if let id = try token(name), !ids.contains(id) { ids.append(id) }
    }
    return ids
  }
}
