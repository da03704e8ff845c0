import Checkpoints
import TestSupport
import Testing
import Tokenizers

/// Encoding and decoding beyond parity: special tokens, repair, size, speed of growth.
struct EncodingTests {
  @Test func specialTokensInPrivateTextArePlainCharacters() throws {
    let tokenizer = try Fixture.variant("bytes-gpt2")
    let end: Int32 = 2
    #expect(tokenizer.bytes(of: end) == Array("<|im_end|>".utf8))
    #expect(tokenizer.encode("a<|im_end|>b").contains(end))
    #expect(tokenizer.encode("a<|im_end|>b") == tokenizer.encode("a<|im_end|>b", parsingSpecial: true))
    let plain = tokenizer.encode("a<|im_end|>b", parsingSpecial: false)
    #expect(tokenizer.specialTokens.isDisjoint(with: plain))
    #expect(tokenizer.specialTokens == [0, 1, 2])
    #expect(tokenizer.decode(plain) == "a<|im_end|>b")
  }

  @Test(arguments: ["bytes-gpt2", "bytes-digits", "bytes-llama3", "pieces-prepend"])
  func decodingUndoesEncoding(_ name: String) throws {
    let tokenizer = try Fixture.variant(name)
    // SentencePiece cannot tell a space from its marker.
    try expectRoundTrips(tokenizer) { name.hasPrefix("pieces") ? $0.replacing("▁", with: " ") : $0 }
  }

  @Test func sentencePieceDecodes() throws {
    let tokenizer = try Fixture.pieces()
    try expectRoundTrips(tokenizer) { $0.replacing("▁", with: " ") }
    #expect(tokenizer.beginToken == 1 && tokenizer.endTokens == [2] && tokenizer.specialTokens == [0, 1, 2])
  }

  private func expectRoundTrips(_ tokenizer: any Tokenizer, _ expected: (String) -> String) throws {
    let wrong = try Fixture.lines().filter { line in
      let decoded = tokenizer.decode(tokenizer.encode(line, parsingSpecial: false))
      return !decoded.unicodeScalars.elementsEqual(expected(line).unicodeScalars)
    }
    #expect(wrong.isEmpty, "\(wrong.count) lines, the first \(wrong.first.debugDescription)")
  }

  @Test func decodingRepairs() throws {
    let tokenizer = try Fixture.variant("bytes-gpt2")
    for id in [Int32.min, -1, Int32(tokenizer.vocabularySize), .max] {
      #expect(tokenizer.decode([id]) == "\u{FFFD}")
      #expect(tokenizer.bytes(of: id) == Array("\u{FFFD}".utf8))
    }
    let ids = tokenizer.encode("\u{10348}")
    #expect(tokenizer.decode(ids) == "\u{10348}" && ids.count > 1)
    #expect(tokenizer.decode(Array(ids.dropLast())) == "\u{FFFD}")
    #expect(tokenizer.decode([]).isEmpty)
  }

  @Test func bytesOfTokensConcatenate() throws {
    let tokenizer = try Fixture.variant("bytes-llama3")
    for line in try Fixture.lines().prefix(500) {
      #expect(tokenizer.encode(line).flatMap { tokenizer.bytes(of: $0) } == Array(line.utf8))
    }
  }

  @Test(arguments: ["a", "ab", " ", "\n", "字", "\u{301}", "0", "'", "\u{0F72}\u{0F71}", "\u{0F73}"])
  func longWordsStayFast(_ unit: String) throws {
    let text = String(repeating: unit, count: 500_000 / unit.utf8.count)
    for name in ["bytes-digits", "bytes-qwen2", "bytes-mixed", "pieces-prepend"] {
      let tokenizer = try Fixture.variant(name)
      let clock = ContinuousClock()
      var ids: [Int32] = []
      let seconds = clock.measure { ids = tokenizer.encode(text) } / .seconds(1)
      // Quadratic time would take hours.
      #expect(seconds < 20, "\(name) took \(seconds) s for 500 kB of \(unit.debugDescription)")
      // A tokenizer that trims white space has nothing left of a text of spaces.
      #expect(!ids.isEmpty || unit == " ", "\(name)")
    }
  }

  @Test func hashTellsTokenizersApart() throws {
    var names = [
      "bytes-gpt2", "bytes-digits", "bytes-llama3", "bytes-qwen2", "bytes-mixed", "pieces-prepend", "pieces-first", "pieces-words",
    ]
    let hashes = try names.map { try Fixture.variant($0).sha256 }
    names.append("pieces")
    #expect(Set(hashes + [try Fixture.pieces().sha256]).count == names.count)
    #expect(hashes.allSatisfy { $0.count == 64 })
    #expect(try Fixture.variant("bytes-gpt2").sha256 == hashes[0])
    // The same tokenizer has the same hash, wherever it comes from.
    #expect(try TokenizerLoader.load(metadata: Metadata.bytes(pre: "gpt-2")).sha256 == hashes[0])
    #expect(try TokenizerLoader.load(metadata: Metadata.pieces()).sha256 == Fixture.pieces().sha256)
    var changed = try Metadata.bytes(pre: "gpt-2")
    let merges = changed["tokenizer.ggml.merges"]!.asStrings!
    changed["tokenizer.ggml.merges"] = .strings(Array(merges.dropLast()))
    #expect(try TokenizerLoader.load(metadata: changed).sha256 != hashes[0])
  }
}
