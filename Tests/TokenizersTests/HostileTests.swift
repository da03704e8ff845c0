import Checkpoints
import Diagnostics
import TestSupport
import Testing
import Tokenizers

/// Files that are damaged or malicious end in a `Fault` or in a tokenizer that works; they never trap.
struct HostileTests {
  private func expectFault(_ text: String, _ message: String, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(sourceLocation: sourceLocation) {
      _ = try TokenizerLoader.load(tokenizerJSON: Array(text.utf8))
    } throws: { error in
      guard let fault = error as? Fault else { return false }
      #expect(fault.message.contains(message), sourceLocation: sourceLocation)
      return fault.code == .invalidData
    }
  }

  private func json(_ model: String = #""vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]"#, _ rest: String = "") -> String {
    #"{"model":{"type":"BPE",\#(model)}\#(rest)}"#
  }

  @Test func unknownComponentsAreFaults() throws {
    _ = try TokenizerLoader.load(tokenizerJSON: Array(json().utf8))
    expectFault(json("", #","model":{"type":"Unigram"}"#), "invalid JSON")
    expectFault(#"{"model":{"type":"Unigram","vocab":[["a",0]]}}"#, "Unigram")
    expectFault(#"{"model":{"type":"WordPiece","vocab":{"a":0}}}"#, "WordPiece")
    expectFault("{}", "model.vocab")
    expectFault(json(#""vocab":{},"merges":[]"#), "model.vocab")
    expectFault(json(#""vocab":{"a":0}"#), "model.merges")
    expectFault(json(#""vocab":{"a":0},"merges":["a a"]"#), "makes a token")
    expectFault(json(#""vocab":{"a":0},"merges":["a b"]"#), "joins a token")
    expectFault(json(#""vocab":{"a":0},"merges":["a"]"#), "no pair")
    expectFault(json(#""vocab":{"a":0},"merges":[["a"]]"#), "no pair")
    expectFault(json(#""vocab":{"a":0},"merges":[[1,2]]"#), "no pair")
    expectFault(json(#""vocab":{"a":0,"b":0},"merges":[]"#), "both have the id")
    expectFault(json(#""vocab":{"a":-1},"merges":[]"#), "no id")
    expectFault(json(#""vocab":{"a":2147483648},"merges":[]"#), "no id")
    expectFault(json(#""vocab":{"a":4194304},"merges":[]"#), "no id")
    expectFault(json(#""vocab":{"a":1e300},"merges":[]"#), "no id")
    expectFault(json(#""vocab":{"a":0.5},"merges":[]"#), "no id")
    expectFault(json(#""dropout":0.1,"vocab":{"a":0},"merges":[]"#), "dropout")
    expectFault(json(#""end_of_word_suffix":"</w>","vocab":{"a":0},"merges":[]"#), "end_of_word_suffix")
    expectFault(json(#""unk_token":"?","vocab":{"a":0},"merges":[]"#), "unknown token")
    for type in ["Whitespace", "BertPreTokenizer", "Punctuation", "UnicodeScripts", "ByteLvel"] {
      expectFault(json().dropLast() + #","pre_tokenizer":{"type":"\#(type)"}}"#, type)
      expectFault(json().dropLast() + #","pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"\#(type)"}]}}"#, type)
    }
    for type in ["NFKC", "NFD", "Lowercase", "Strip", "Precompiled", "BertNormalizer"] {
      expectFault(json().dropLast() + #","normalizer":{"type":"\#(type)"}}"#, type)
    }
    expectFault(json().dropLast() + #","normalizer":{"type":"Replace","pattern":{"Regex":" +"},"content":""}}"#, "Replace")
    expectFault(json().dropLast() + #","normalizer":{"type":"Replace","pattern":{"String":""},"content":"x"}}"#, "Replace")
    let regex = #"{"type":"Split","pattern":{"Regex":"\\s+"},"behavior":"Isolated","invert":false}"#
    expectFault(json().dropLast() + #","pre_tokenizer":\#(regex)}"#, "regular expression")
    let late = #"[{"type":"ByteLevel"},{"type":"Digits","individual_digits":true}]"#
    expectFault(json().dropLast() + #","pre_tokenizer":{"type":"Sequence","pretokenizers":\#(late)}}"#, "after ByteLevel")
    expectFault(json().dropLast() + #","added_tokens":[{"id":7,"content":"a"}]}"#, "another id")
    expectFault(json().dropLast() + #","added_tokens":[{"id":1,"content":"z"}]}"#, "both have the id")
    expectFault(String(repeating: "[", count: 100_000), "nested")
  }

  @Test func metadataFaults() throws {
    let valid = try Metadata.bytes(pre: "gpt-2")
    let changes: [(String, GGUFValue?, String)] = [
      ("model", nil, "no tokenizer"), ("model", Metadata.text("bert"), "bert"), ("pre", nil, "pre is missing"),
      ("pre", Metadata.text("smolm"), "smolm"), ("tokens", .strings([]), "empty"), ("tokens", .integers([1]), "no array of strings"),
      ("merges", nil, "merges"), ("merges", .strings([[]]), "no pair"), ("merges", .strings([Array("a b c".utf8)]), "no pair"),
      ("merges", .strings([[0xFF, 0x20, 0xFE]]), "not in the vocabulary"), ("token_type", .integers([1]), "token_type"),
      ("token_type", .integers(.init(repeating: 9, count: 1400)), "token_type"), ("bos_token_id", .unsigned(1400), "bos_token_id"),
      ("eos_token_id", .unsigned(.max), "eos_token_id"), ("eos_token_id", .signed(-1), "eos_token_id"),
      ("add_bos_token", .unsigned(1), "add_bos_token"), ("add_space_prefix", .bool(true), "add_space_prefix"),
    ]
    for (name, value, message) in changes {
      var metadata = valid
      metadata["tokenizer.ggml.\(name)"] = value
      // The begin token is looked at only if it is added.
      if name == "bos_token_id" { metadata["tokenizer.ggml.add_bos_token"] = .bool(true) }
      do {
        _ = try TokenizerLoader.load(metadata: metadata)
        Issue.record("\(name) was accepted")
      } catch let fault as Fault {
        #expect(fault.code == .invalidData && fault.message.contains(message), "\(name): \(fault)")
      }
    }
    var pieces = try Metadata.pieces()
    pieces["tokenizer.ggml.scores"] = .floats([Float](repeating: .nan, count: pieces["tokenizer.ggml.tokens"]!.asStrings!.count))
    #expect(throws: Fault.self) { try TokenizerLoader.load(metadata: pieces) }
  }

  @Test func oddVocabulariesWork() throws {
    // No byte tokens at all: unknown text vanishes, as in Hugging Face's library.
    let none = try TokenizerLoader.load(
      tokenizerJSON: Array((json().dropLast() + #","pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false}}"#).utf8))
    #expect(none.encode("xabx") == [2] && none.encode("éé").isEmpty)
    // Merges that make each other, a special token that is empty, holes, and two tokens that are canonically equivalent.
    let model = #""vocab":{"a":0,"aa":1,"aaa":2,"aaaa":3,"é":9,"e\u0301":10,"e":11},"merges":["a a","aa a","a aa","aa aa","aaa a","a a"]"#
    let odd = try TokenizerLoader.load(
      tokenizerJSON: Array((json(model).dropLast() + #","added_tokens":[{"id":20,"content":"","special":true}]}"#).utf8))
    #expect(odd.vocabularySize == 21 && odd.specialTokens == [20])
    #expect(odd.encode("é") == [9] && odd.encode("e") == [11])
    #expect(odd.decode(odd.encode("aaaaaaaaa")) == "aaaaaaaaa")
    #expect(odd.decode([5, 20, 0]) == "\u{FFFD}a")
    // Of equal tokens the last one counts.
    var metadata = try Metadata.bytes(pre: "gpt-2")
    metadata["tokenizer.ggml.tokens"] = .strings(metadata["tokenizer.ggml.tokens"]!.asStrings! + [[UInt8(ascii: "a")]])
    metadata["tokenizer.ggml.token_type"] = nil
    let twice = try TokenizerLoader.load(metadata: metadata)
    #expect(twice.encode("a") == [Int32(twice.vocabularySize - 1)])
  }

  // MARK: Mutations

  private static let nasty = [
    "", " ", "a<|im_end|>b  c\n\n", "don't STOP'LL 123 é e\u{301} 字\u{0}\u{FFFD}👩‍💻▁▁ house", String(repeating: "ab ", count: 40),
    String(repeating: "a", count: 100),
  ]

  /// Uses everything that a tokenizer has; any trap ends the test run.
  private func exercise(_ tokenizer: any Tokenizer, _ random: inout SplitMix) -> Int {
    var tokens = 0
    for text in Self.nasty {
      let ids = tokenizer.encode(text, parsingSpecial: random.next() & 1 == 0)
      #expect(ids.allSatisfy { $0 >= 0 && $0 < tokenizer.vocabularySize })
      tokens += ids.count + tokenizer.decode(ids).utf8.count
    }
    let ids = (0..<8).map { _ in Int32(truncatingIfNeeded: random.next() >> (random.next() & 31)) }
    return tokens + tokenizer.decode(ids).utf8.count + tokenizer.specialTokens.count + tokenizer.endTokens.count
  }

  private func mutate(_ bytes: [UInt8], _ random: inout SplitMix) -> [UInt8] {
    var bytes = bytes
    for _ in 0...random.below(4) where !bytes.isEmpty {
      let index = random.below(bytes.count)
      switch random.below(6) {
      case 0: bytes[index] = UInt8(truncatingIfNeeded: random.next())
      case 1: bytes[index] ^= 1 << UInt8(random.below(8))
      case 2: bytes.removeSubrange(index..<min(bytes.count, index + 1 + random.below(12)))
      case 3: bytes.insert(contentsOf: bytes[index..<min(bytes.count, index + 1 + random.below(40))], at: random.below(bytes.count))
      case 4: bytes.removeSubrange(index...)
      default: bytes[index] = Array("\"0-9{}[],:\u{7F}\\<>x ".utf8).randomElement(using: &random)!
      }
    }
    return bytes
  }

  @Test func mutatedTokenizerJSON() throws {
    var random = SplitMix(state: 1)
    let added =
      #"[{"id":7,"content":"<|im_end|>","special":true},"#
      + #"{"id":8,"content":"house","lstrip":true,"rstrip":true,"single_word":true,"normalized":true}]"#
    let seeds = [
      #"{"type":"ByteLevel","add_prefix_space":true,"use_regex":true}"#,
      #"{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},"#
        + #"{"type":"Split","pattern":{"String":"a"},"behavior":"Contiguous","invert":false}]}"#,
      #"{"type":"Metaspace","replacement":"▁","prepend_scheme":"first","split":false}"#,
    ].map { pre in
      #"{"added_tokens":\#(added),"normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},"#
        + #"{"type":"Replace","pattern":{"String":"b"},"content":"ba"}]},"pre_tokenizer":\#(pre),"#
        + #""model":{"type":"BPE","byte_fallback":false,"unk_token":"a","fuse_unk":true,"ignore_merges":false,"#
        + #""vocab":{"a":0,"b":1,"ab":2,"Ġ":3,"Ġa":4,"▁":5,"aba":6},"merges":["a b",["ab","a"],"Ġ a"]}}"#
    }
    var (built, work) = (0, 0)
    for round in 0..<12000 {
      let bytes = mutate(Array(seeds[round % seeds.count].utf8), &random)
      do {
        work += exercise(try TokenizerLoader.load(tokenizerJSON: bytes), &random)
        built += 1
      } catch let fault as Fault {
        #expect(fault.code == .invalidData)
      }
    }
    // Both ends must be reached, or the test would show nothing.
    #expect(built > 300 && built < 11000 && work > 0, "\(built) were built")
  }

  @Test func mutatedSentencePieceModel() throws {
    var random = SplitMix(state: 2)
    let file = try Fixture.bytes("pieces.model")
    // The first pieces and the two specifications at the end, so that mutations hit what matters. Each piece is a tag, a length of one
    // byte, and as many bytes.
    var (index, pieces, head) = (0, 0, 0)
    while file[index] == 0x0A {
      index += 2 + Int(file[index + 1])
      pieces += 1
      if pieces == 300 { head = index }
    }
    let small = Array(file[..<head] + file[index...])
    _ = try TokenizerLoader.load(sentencePieceModel: small)
    var (built, work) = (0, 0)
    for round in 0..<3000 {
      do {
        let tokenizer = try TokenizerLoader.load(sentencePieceModel: mutate(round.isMultiple(of: 3) ? file : small, &random))
        work += exercise(tokenizer, &random)
        built += 1
      } catch let fault as Fault {
        #expect(fault.code == .invalidData)
      }
    }
    #expect(built > 100 && built < 2900 && work > 0, "\(built) were built")
  }

  @Test(arguments: [0, 1])
  func mutatedMetadata(_ family: Int) throws {
    var random = SplitMix(state: UInt64(3 + family))
    let valid = try family == 0 ? Metadata.bytes(pre: "llama-bpe") : Metadata.pieces()
    let tokens = valid["tokenizer.ggml.tokens"]!.asStrings!
    let keys = valid.keys.sorted()
    var (built, work) = (0, 0)
    for _ in 0..<3000 {
      var metadata = valid
      for _ in 0...random.below(2) {
        let key = keys[random.below(keys.count)]
        metadata[key] = mutate(metadata[key], tokens, &random)
      }
      do {
        work += exercise(try TokenizerLoader.load(metadata: metadata), &random)
        built += 1
      } catch let fault as Fault {
        #expect(fault.code == .invalidData)
      }
    }
    #expect(built > 300 && built < 2900 && work > 0, "\(built) were built")
  }

  private func mutate(_ value: GGUFValue?, _ tokens: [[UInt8]], _ random: inout SplitMix) -> GGUFValue? {
    switch value {
    case .strings(var strings)? where !strings.isEmpty && random.below(8) > 0:
      for _ in 0...random.below(4) where !strings.isEmpty {
        let index = random.below(strings.count)
        switch random.below(5) {
        case 0: strings[index] = mutate(strings[index], &random)
        case 1: strings[index] = strings[random.below(strings.count)]
        case 2: strings[index] = []
        case 3: strings[index] = tokens[random.below(tokens.count)] + [0x20] + tokens[random.below(tokens.count)]
        default: strings[index] = [UInt8](repeating: 0x61, count: random.below(3000))
        }
      }
      return .strings(strings)
    case .integers(var integers)? where !integers.isEmpty && random.below(8) > 0:
      for _ in 0...random.below(20) { integers[random.below(integers.count)] = Int64(random.below(8)) }
      return .integers(integers)
    case .floats(var floats)? where !floats.isEmpty && random.below(8) > 0:
      for _ in 0...random.below(20) {
        floats[random.below(floats.count)] = [0, -0.0, 1, -1e38, 3e38, .nan, .infinity][random.below(random.below(4) == 0 ? 7 : 5)]
      }
      return .floats(floats)
    default:
      return [nil, .unsigned(random.next() >> 40), .signed(-1), .bool(true), .string([]), .strings([]), .floats([]), .integers([])][
        random.below(8)]
    }
  }
}
