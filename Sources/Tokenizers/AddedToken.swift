/// A string that becomes one token before anything else looks at the text.
struct AddedToken: Sendable, Equatable {
  var id: Int32
  var content: [UInt8]
  /// A control token, which text may be told not to contain.
  var isSpecial: Bool
  /// Found in the text after the normalizer, not before it.
  var isNormalized = false
  /// Not found where a word goes on before or after it.
  var isWholeWord = false
  /// Takes the white space before it.
  var takesSpaceBefore = false
  /// Takes the white space after it.
  var takesSpaceAfter = false
}
