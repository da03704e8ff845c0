/// One private text and its tokens.
///
/// The module graph is the threat model: this module is the only place that names private text, and `Attacks` must never depend on it, directly
/// or through another target. An attack reads an `AdversaryView`; only the side that runs the client and the side that scores import this.
package struct PrivateDocument: Sendable, Equatable {
  /// Stable name of the document in its data set.
  package var id: String
  package var text: String
  /// The token ids that the client computed on, special tokens included.
  package var tokens: [Int32]
  /// Personal data and canaries in it, where the data set marks them; nil where it marks nothing.
  package var entities: [PrivateEntity]?
  /// Where the model's answer begins in `tokens`; nil where there is none.
  package var promptLength: Int?
  /// Whether the victim was fine-tuned on it; nil where nobody asks.
  package var isMember: Bool?
  /// The kind of source that it is from, where the data set has several.
  package var attribute: String?

  package init(id: String, text: String, tokens: [Int32], entities: [PrivateEntity]? = nil) {
    (self.id, self.text, self.tokens, self.entities) = (id, text, tokens, entities)
  }
}
