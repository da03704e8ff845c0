import Tokenizers

/// One token a byte: for tiny models of 256 tokens.
struct ByteTokenizer: Tokenizer {
  let vocabularySize = 256
  let beginToken: Int32? = nil
  let endTokens: [Int32] = []
  let specialTokens: Set<Int32> = []
  let sha256 = "bytes"

  func encode(_ text: String, parsingSpecial: Bool) -> [Int32] { text.utf8.map(Int32.init) }
  func decode(_ ids: [Int32]) -> String { String(decoding: ids.map { UInt8($0) }, as: UTF8.self) }
  func bytes(of id: Int32) -> [UInt8] { [UInt8(id)] }
}
