import Checkpoints
import Foundation

/// GGUF metadata of the fixtures' tokenizers, as llama.cpp's converter writes it.
enum Metadata {
  static func bytes(pre: String) throws -> [String: GGUFValue] {
    let vocabulary = try JSONDecoder().decode([String: Int64].self, from: Data(try Fixture.bytes("bytes-vocab.json")))
    let merges = try JSONDecoder().decode([String].self, from: Data(try Fixture.bytes("bytes-merges.json")))
    var tokens = [[UInt8]](repeating: [], count: vocabulary.count)
    for (token, id) in vocabulary { tokens[Int(id)] = Array(token.utf8) }
    return [
      "tokenizer.ggml.model": text("gpt2"), "tokenizer.ggml.pre": text(pre), "tokenizer.ggml.tokens": .strings(tokens),
      "tokenizer.ggml.merges": .strings(merges.map { Array($0.utf8) }),
      "tokenizer.ggml.token_type": .integers(tokens.indices.map { $0 < 3 ? 3 : 1 }),
      "tokenizer.ggml.bos_token_id": .unsigned(1), "tokenizer.ggml.eos_token_id": .unsigned(2),
      "tokenizer.ggml.add_bos_token": .bool(false), "tokenizer.ggml.add_space_prefix": .bool(false),
    ]
  }

  /// The pieces, scores and types of pieces.model, read with a few lines of our own.
  static func pieces() throws -> [String: GGUFValue] {
    let file = try Fixture.bytes("pieces.model")
    var (tokens, scores, types): ([[UInt8]], [Float], [Int64]) = ([], [], [])
    var index = 0
    func varint() -> Int {
      var (value, shift) = (0, 0)
      while file[index] >= 0x80 {
        value |= Int(file[index] & 0x7F) << shift
        (index, shift) = (index + 1, shift + 7)
      }
      defer { index += 1 }
      return value | Int(file[index]) << shift
    }
    while index < file.count, file[index] == 0x0A {
      index += 1
      let end = varint() + index
      var (token, score, type): ([UInt8], Float, Int64) = ([], 0, 1)
      while index < end {
        let tag = file[index]
        index += 1
        switch tag {
        case 0x0A:
          let count = varint()
          token = Array(file[index..<index + count])
          index += count
        case 0x15:
          score = Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(file[index + $1]) << UInt32(8 * $1) })
          index += 4
        default: type = Int64(varint())
        }
      }
      tokens.append(token)
      scores.append(score)
      types.append(type)
    }
    return [
      "tokenizer.ggml.model": text("llama"), "tokenizer.ggml.tokens": .strings(tokens), "tokenizer.ggml.scores": .floats(scores),
      "tokenizer.ggml.token_type": .integers(types), "tokenizer.ggml.bos_token_id": .unsigned(1),
      "tokenizer.ggml.eos_token_id": .unsigned(2), "tokenizer.ggml.unknown_token_id": .unsigned(0),
    ]
  }

  static func text(_ text: String) -> GGUFValue { .string(Array(text.utf8)) }
}
