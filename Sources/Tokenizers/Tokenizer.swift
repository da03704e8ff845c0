/// Text to token ids and back, as the model's own training tokenizer does it.
package protocol Tokenizer: Sendable {
  /// One more than the largest id.
  var vocabularySize: Int { get }
  /// The id that begins a sequence, only if the model adds one by default. `encode` never adds it.
  var beginToken: Int32? { get }
  /// Ids that end a generation.
  var endTokens: [Int32] { get }
  /// Control tokens, never part of ordinary text.
  var specialTokens: Set<Int32> { get }
  /// The ids of `text`. Strings of special tokens in it become those tokens, as in Hugging Face's `encode(text, add_special_tokens=False)`.
  func encode(_ text: String) -> [Int32]
  /// As `encode(_:)`; if not `parsingSpecial`, a string such as `<|im_end|>` in private text is plain characters.
  func encode(_ text: String, parsingSpecial: Bool) -> [Int32]
  /// The text of `ids`, special tokens included. Bytes that are no UTF-8 and ids that do not exist become U+FFFD.
  func decode(_ ids: [Int32]) -> String
  /// The bytes that `id` stands for; those of U+FFFD if there is no such id.
  func bytes(of id: Int32) -> [UInt8]
  /// SHA-256, in lowercase hexadecimal, of all that determines the ids: vocabulary, merges, normalizer and pre-tokenizer.
  /// Computed at each call, in some milliseconds.
  var sha256: String { get }
}

extension Tokenizer {
  package func encode(_ text: String) -> [Int32] { encode(text, parsingSpecial: true) }
}
