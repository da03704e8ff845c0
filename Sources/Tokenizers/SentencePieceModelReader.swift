import Diagnostics

/// Builds a tokenizer from a SentencePiece model file, a protocol buffer (`sentencepiece_model.proto`).
struct SentencePieceModelReader {
  private var tokens: [[UInt8]] = []
  private var kinds: [BytePairTokenizer.Kind] = []
  private var scores: [Float] = []
  private var modelType = 1
  private var (unknown, begin, end) = (0, 1, 2)
  private var prefixesSpace = true
  private var (removesSpace, escapesSpace) = (true, true)
  private var treatsSpaceAsSuffix = false
  private var hasMap = false

  /// - Parameter endTokens: of the model's configuration; if empty, the file's own.
  /// Throws `Fault(.invalidData)` unless it is a BPE model without a normalization map.
  static func tokenizer(from bytes: [UInt8], endTokens: [Int32] = []) throws -> BytePairTokenizer {
    var reader = SentencePieceModelReader()
    try reader.read(bytes)
    return try reader.build(endTokens)
  }

  private mutating func read(_ bytes: [UInt8]) throws {
    var message = ProtocolBufferReader(bytes, 0..<bytes.count)
    while let (number, value) = try message.next() {
      switch (number, value) {
      case (1, .bytes(let range)): try readPiece(ProtocolBufferReader(bytes, range))
      case (2, .bytes(let range)): try readTrainer(ProtocolBufferReader(bytes, range))
      case (3, .bytes(let range)): try readNormalizer(ProtocolBufferReader(bytes, range))
      default: break
      }
    }
  }

  private mutating func readPiece(_ reader: ProtocolBufferReader) throws {
    var (reader, text, score, kind) = (reader, [UInt8](), Float(0), UInt64(1))
    while let (number, value) = try reader.next() {
      switch (number, value) {
      case (1, .bytes(let range)): text = Array(reader.bytes[range])
      case (2, .fixed32(let bits)): score = Float(bitPattern: bits)
      case (3, .integer(let type)): kind = type
      default: break
      }
    }
    guard (1...6).contains(kind), let named = BytePairTokenizer.Kind(rawValue: UInt8(kind)) else {
      throw Fault(.invalidData, "piece \(tokens.count) has the unknown type \(kind)")
    }
    tokens.append(text)
    kinds.append(named == .normal && text.isEmpty ? .absent : named)
    scores.append(score)
    try TokenizerLimits.check(tokenCount: tokens.count)
  }

  private mutating func readTrainer(_ reader: ProtocolBufferReader) throws {
    var reader = reader
    while let (number, value) = try reader.next() {
      guard case .integer(let raw) = value else { continue }
      let number32 = Int(Int32(truncatingIfNeeded: raw))
      switch number {
      case 3: modelType = number32
      case 24: treatsSpaceAsSuffix = raw != 0
      case 40: unknown = number32
      case 41: begin = number32
      case 42: end = number32
      default: break
      }
    }
  }

  private mutating func readNormalizer(_ reader: ProtocolBufferReader) throws {
    var reader = reader
    while let (number, value) = try reader.next() {
      switch (number, value) {
      case (2, .bytes(let range)): hasMap = !range.isEmpty
      case (3, .integer(let flag)): prefixesSpace = flag != 0
      case (4, .integer(let flag)): removesSpace = flag != 0
      case (5, .integer(let flag)): escapesSpace = flag != 0
      default: break
      }
    }
  }

  private func build(_ endTokens: [Int32]) throws -> BytePairTokenizer {
    guard !tokens.isEmpty else { throw Fault(.invalidData, "the SentencePiece model has no pieces") }
    guard modelType == 2 else { throw Fault(.invalidData, "a SentencePiece model of type \(modelType) is not supported; only BPE (2) is") }
    guard !hasMap else { throw Fault(.invalidData, "a SentencePiece model with a normalization map is not supported") }
    guard !removesSpace, escapesSpace, !treatsSpaceAsSuffix else {
      throw Fault(.invalidData, "a SentencePiece model that removes, keeps or appends white space is not supported")
    }
    func token(_ id: Int) -> Int32? { tokens.indices.contains(id) ? Int32(id) : nil }
    let added = try kinds.indices.compactMap { id -> AddedToken? in
      guard [.control, .unknown, .userDefined].contains(kinds[id]) else { return nil }
      try TokenizerLimits.check(addedToken: tokens[id])
      return AddedToken(
        id: Int32(id), content: tokens[id], isSpecial: kinds[id] != .userDefined, isNormalized: kinds[id] == .userDefined)
    }
    return try SentencePieceTokenizer.build(
      tokens: tokens, kinds: kinds, scores: scores, unknown: token(unknown), prefixesSpace: prefixesSpace, addedTokens: added,
      beginToken: token(begin), endTokens: endTokens.isEmpty ? [end].compactMap(token) : endTokens.filter { token(Int($0)) != nil })
  }
}
