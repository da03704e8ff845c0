package import Checkpoints
import Diagnostics
import Foundation

/// Finds and builds the tokenizer of a checkpoint.
package enum TokenizerLoader {
  /// The tokenizer of a GGUF file's metadata, or of a folder's tokenizer.json, or else of its tokenizer.model (SentencePiece).
  ///
  /// Throws `Fault`: `.missingInput` if a folder has neither, `.invalidData` if the tokenizer is damaged, or has a part that we
  /// would not follow to the letter. A tokenizer never differs silently from its file.
  package static func load(from checkpoint: Checkpoint) throws -> any Tokenizer {
    if let gguf = checkpoint.gguf {
      return try located(at: gguf.path) { try GGUFTokenizerReader.tokenizer(from: gguf.metadata) }
    }
    return try load(folder: checkpoint.folder ?? checkpoint.path, endTokens: checkpoint.configuration.endTokens)
  }

  /// The tokenizer of a folder, whatever else is in it. `endTokens` come from the model's configuration.
  package static func load(folder: String, endTokens: [Int32] = []) throws -> any Tokenizer {
    if let bytes = try contents(folder + "/tokenizer.json") {
      let configuration = try contents(folder + "/tokenizer_config.json").map { bytes in
        try located(at: folder + "/tokenizer_config.json") { try ByteJSON.parse(bytes) }
      }
      return try located(at: folder + "/tokenizer.json") {
        try HuggingFaceTokenizerReader.tokenizer(
          from: ByteJSON.parse(bytes), configuration: configuration ?? .null, endTokens: endTokens)
      }
    }
    let path = folder + "/tokenizer.model"
    guard let bytes = try contents(path) else {
      throw Fault(.missingInput, "the folder has neither tokenizer.json nor tokenizer.model", at: folder)
    }
    return try located(at: path) { try SentencePieceModelReader.tokenizer(from: bytes, endTokens: endTokens) }
  }

  /// The tokenizer of a SentencePiece model file.
  package static func load(sentencePiece path: String) throws -> any Tokenizer {
    guard let bytes = try contents(path) else { throw Fault(.missingInput, "no such file", at: path) }
    return try located(at: path) { try SentencePieceModelReader.tokenizer(from: bytes) }
  }

  /// The tokenizer that GGUF metadata describes.
  package static func load(metadata: [String: GGUFValue]) throws -> any Tokenizer {
    try GGUFTokenizerReader.tokenizer(from: metadata)
  }

  /// The tokenizer that the bytes of a tokenizer.json describe.
  package static func load(tokenizerJSON bytes: [UInt8]) throws -> any Tokenizer {
    try HuggingFaceTokenizerReader.tokenizer(from: ByteJSON.parse(bytes))
  }

  /// The tokenizer that the bytes of a SentencePiece model describe.
  package static func load(sentencePieceModel bytes: [UInt8]) throws -> any Tokenizer {
    try SentencePieceModelReader.tokenizer(from: bytes)
  }

  /// The bytes of a file, or nil if there is none. Throws `Fault(.missingInput)` if it cannot be read.
  private static func contents(_ path: String) throws -> [UInt8]? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    return try MappedBytes(contentsOf: path).withUnsafeBytes { Array($0) }
  }

  private static func located<Result>(at path: String, _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let fault as Fault { throw fault.located(at: path) }
  }
}
