import Checkpoints
import TestSupport
import Testing
import Tokenizers

/// Ids against those of Hugging Face's `tokenizers` and of `sentencepiece`, line by line.
struct ParityTests {
  private func expectParity(_ tokenizer: any Tokenizer, _ name: String, each step: Int, parsingSpecial: Bool) throws {
    let found = try Fixture.differences(tokenizer, name, each: step, parsingSpecial: parsingSpecial)
    #expect(found.compared == 12000 / step)
    #expect(found.count == 0, "\(name): \(found.count) of \(found.compared) lines differ\n\(found.first.joined(separator: "\n"))")
  }

  @Test(arguments: [
    "bytes-gpt2", "bytes-digits", "bytes-llama3", "bytes-qwen2", "bytes-mixed", "pieces-prepend", "pieces-first", "pieces-words",
  ])
  func tokenizerJSON(_ name: String) throws {
    let tokenizer = try Fixture.variant(name)
    try expectParity(tokenizer, name, each: 5, parsingSpecial: true)
    try expectParity(tokenizer, name + "-plain", each: 5, parsingSpecial: false)
  }

  @Test func sentencePieceModel() throws {
    try expectParity(Fixture.pieces(), "pieces-model-plain", each: 1, parsingSpecial: false)
  }

  @Test func metadataOfSentencePiece() throws {
    try expectParity(
      TokenizerLoader.load(metadata: Metadata.pieces()), "pieces-model-plain", each: 1, parsingSpecial: false)
  }

  @Test(arguments: ["gpt-2": "bytes-gpt2", "smollm": "bytes-digits", "llama-bpe": "bytes-llama3", "qwen2": "bytes-qwen2"])
  func metadataOfByteLevel(_ pre: String, _ name: String) throws {
    try expectParity(TokenizerLoader.load(metadata: Metadata.bytes(pre: pre)), name, each: 5, parsingSpecial: true)
  }

  @Test func smolLM2() throws {
    guard let path = Fixture.fetched("FEDSEA_TEST_GGUF", "checkpoints/smollm2-135m-instruct/files/SmolLM2-135M-Instruct.Q4_1.gguf") else {
      return
    }
    let tokenizer = try TokenizerLoader.load(from: Checkpoint.open(at: path))
    #expect(tokenizer.vocabularySize == 49152 && tokenizer.beginToken == nil && tokenizer.endTokens == [2])
    #expect(tokenizer.specialTokens == Set(0...16))
    try expectParity(tokenizer, "smollm2", each: 1, parsingSpecial: true)
    try expectParity(tokenizer, "smollm2-plain", each: 1, parsingSpecial: false)
  }

  @Test func mistral() throws {
    guard let path = Fixture.fetched("FEDSEA_SPM", "checkpoints/mistral-tokenizer/files/tokenizer.model.v1") else { return }
    let tokenizer = try TokenizerLoader.load(sentencePiece: path)
    #expect(tokenizer.vocabularySize == 32000 && tokenizer.beginToken == 1 && tokenizer.endTokens == [2])
    try expectParity(tokenizer, "mistral-plain", each: 1, parsingSpecial: false)
  }
}
