import Crypto

/// Byte-level BPE, and SentencePiece's BPE: added tokens, normalizer, pre-tokenizer and merges, one after the other.
struct BytePairTokenizer: Tokenizer {
  /// What kind of token an id is; the numbers are those of GGUF and of SentencePiece.
  enum Kind: UInt8, Sendable {
    case absent = 0, normal, unknown, control, userDefined, unused, byte
  }

  let model: BytePairModel
  let kinds: [Kind]
  let normalizer: [NormalizerStep]
  let preTokenizer: [PreTokenizerStep]
  let addedTokens: [AddedToken]
  let beginToken: Int32?
  let endTokens: [Int32]
  let specialTokens: Set<Int32>
  private let matcher: AddedTokenMatcher
  private let normalizedMatcher: AddedTokenMatcher

  init(
    model: BytePairModel, kinds: [Kind], normalizer: [NormalizerStep], preTokenizer: [PreTokenizerStep], addedTokens: [AddedToken],
    beginToken: Int32?, endTokens: [Int32]
  ) {
    precondition(kinds.count == model.vocabulary.count)
    self.model = model
    self.kinds = kinds
    self.normalizer = normalizer
    self.preTokenizer = preTokenizer
    self.addedTokens = addedTokens
    self.beginToken = beginToken
    self.endTokens = endTokens
    specialTokens = Set(kinds.indices.lazy.filter { kinds[$0] == .control || kinds[$0] == .unknown }.map { Int32($0) })
      .union(addedTokens.lazy.filter(\.isSpecial).map(\.id))
    matcher = AddedTokenMatcher(addedTokens.filter { !$0.isNormalized })
    normalizedMatcher = AddedTokenMatcher(
      addedTokens.filter(\.isNormalized).map { token in
        var token = token
        for step in normalizer { step.apply(to: &token.content, atStart: false) }
        return token
      })
  }

  var vocabularySize: Int { kinds.count }

  // MARK: Encoding

  func encode(_ text: String, parsingSpecial: Bool) -> [Int32] {
    let bytes = Array(text.utf8)
    var ids: [Int32] = []
    ids.reserveCapacity(bytes.count / 4 + 8)
    var merger = PairMerger()
    for part in matcher.parts(of: bytes, parsingSpecial: parsingSpecial) {
      if let token = part.token {
        ids.append(token)
        continue
      }
      var piece = part.range.count == bytes.count ? bytes : Array(bytes[part.range])
      let atStart = part.range.lowerBound == 0
      for step in normalizer { step.apply(to: &piece, atStart: atStart) }
      for inner in normalizedMatcher.parts(of: piece, parsingSpecial: parsingSpecial) {
        if let token = inner.token {
          ids.append(token)
        } else {
          let whole = inner.range.count == piece.count
          encode(whole ? piece : Array(piece[inner.range]), atStart && inner.range.lowerBound == 0, into: &ids, with: &merger)
        }
      }
    }
    return ids
  }

  private func encode(_ bytes: [UInt8], _ atStart: Bool, into ids: inout [Int32], with merger: inout PairMerger) {
    var text = PreTokenizedText(bytes, atStart: atStart)
    for step in preTokenizer { text.apply(step) }
    for word in text.words { model.encode(text.bytes, word, into: &ids, with: &merger) }
  }

  // MARK: Decoding

  func decode(_ ids: [Int32]) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(ids.count * 4)
    for id in ids { bytes.append(contentsOf: self.bytes(of: id)) }
    // SentencePiece puts a space before the text, so it takes one away again.
    if putsSpaceFirst, bytes.first == 0x20 { bytes.removeFirst() }
    return String(decoding: bytes, as: UTF8.self)
  }

  func bytes(of id: Int32) -> [UInt8] {
    guard id >= 0, id < kinds.count, kinds[Int(id)] != .absent else { return Array("\u{FFFD}".utf8) }
    let text = [UInt8](model.vocabulary.string(of: Int(id)))
    switch kinds[Int(id)] {
    case .control, .unknown: return text
    case .userDefined: return putsMarkers ? text.replacing(BytePairModel.marker, with: [0x20]) : text
    case .byte: return Self.byte(of: text).map { [$0] } ?? text
    case .absent, .normal, .unused:
      if case .bytes = model.symbols { return ByteAlphabet.decode(text) ?? text }
      return putsMarkers ? text.replacing(BytePairModel.marker, with: [0x20]) : text
    }
  }

  /// The byte of a token such as `<0x0A>`.
  static func byte(of text: [UInt8]) -> UInt8? {
    guard text.count == 6, text.starts(with: "<0x".utf8), text[5] == UInt8(ascii: ">") else { return nil }
    func digit(_ code: UInt8) -> UInt8? {
      switch code {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): code - UInt8(ascii: "0")
      case UInt8(ascii: "A")...UInt8(ascii: "F"): code - UInt8(ascii: "A") + 10
      default: nil
      }
    }
    guard let high = digit(text[3]), let low = digit(text[4]) else { return nil }
    return high << 4 | low
  }

  private var putsMarkers: Bool {
    preTokenizer.contains { if case .metaspace = $0 { true } else { false } }
      || normalizer.contains { if case .replace([0x20], BytePairModel.marker) = $0 { true } else { false } }
  }

  private var putsSpaceFirst: Bool {
    preTokenizer.contains { if case .metaspace(_, let scheme, _) = $0 { scheme != .never } else { false } }
      || normalizer.contains { $0 == .prepend(BytePairModel.marker) || $0 == .prependAtStart(BytePairModel.marker) }
  }

  // MARK: Identity

  var sha256: String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(1 << 21)
    func add(_ numbers: Int...) {
      for number in numbers { for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: number >> shift)) } }
    }
    func add(_ text: some Collection<UInt8>) {
      add(text.count)
      bytes.append(contentsOf: text)
    }
    add(Array("fedsea tokenizer 1".utf8))
    add(kinds.count)
    for id in kinds.indices {
      add(Int(kinds[id].rawValue))
      add(model.vocabulary.string(of: id))
    }
    let rules = model.merges.rules
    add(rules.count)
    for rule in rules { add(Int(rule.rank), Int(rule.left), Int(rule.right), Int(rule.result)) }
    add(addedTokens.count)
    for token in addedTokens {
      add(token.content)
      let flags = [token.isSpecial, token.isNormalized, token.isWholeWord, token.takesSpaceBefore, token.takesSpaceAfter]
      add(Int(token.id))
      for flag in flags { add(flag ? 1 : 0) }
    }
    if case .bytes = model.symbols { add(1) } else { add(0) }
    add(Int(model.unknown.token ?? -1), model.unknown.fuses ? 1 : 0, model.unknown.bytes == nil ? 0 : 1, model.takesWholeWords ? 1 : 0)
    for step in normalizer { add(step.canonical) }
    for step in preTokenizer { add(step.canonical) }
    return SHA256.hash(data: bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
