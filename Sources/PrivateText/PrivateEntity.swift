/// A part of a private document whose loss hurts a person: personal data, or a planted secret.
package struct PrivateEntity: Sendable, Equatable {
  package enum Kind: String, Sendable, CaseIterable {
    case name, email, phone
    /// Numbers of cards, accounts, social security and licences.
    case id
    case date
    /// Streets, houses, postcodes, or all of an address.
    case address
    /// Cities, states and countries.
    case place
    case organization
    /// Web and IP addresses.
    case network
    /// Age, nationality, occupation.
    case demographic
    /// A canary: a secret of known entropy.
    case secret
  }

  package var kind: Kind
  /// As it stands in the document.
  package var text: String
  /// Positions of the document's tokens that hold at least one byte of it.
  package var tokens: Range<Int>
  /// What else the secret could have been, for a canary.
  package var space: SecretSpace?

  package init(kind: Kind, text: String, tokens: Range<Int>, space: SecretSpace? = nil) {
    (self.kind, self.text, self.tokens, self.space) = (kind, text, tokens, space)
  }
}

/// The set from which a canary's secret was drawn, every member equally likely.
package enum SecretSpace: String, Sendable, CaseIterable {
  /// 0000 to 9999.
  case fourDigits = "digits-4"
  /// Two of a hundred words, with a hyphen between them.
  case twoWords = "words-2"

  /// log2 of the number of members.
  package var bits: Double { 13.287712379549449 }
  package var count: Int { 10_000 }

  /// Member `index` of 0..<count.
  package func member(_ index: Int) -> String {
    precondition((0..<count).contains(index), "a secret of \(index)")
    switch self {
    case .fourDigits:
      let digits = String(index)
      return String(repeating: "0", count: 4 - digits.count) + digits
    case .twoWords: return "\(Self.words[index / 100])-\(Self.words[index % 100])"
    }
  }

  /// A hundred short English nouns.
  private static let words: [String] = """
    apple anchor arrow basket beach bell bird boat bone book bottle box branch bread bridge brush bucket butter button cake camel candle castle \
    chain chair cherry circle cloud coat coin copper corn cotton cow crown cup desk dog door dream drum eagle engine feather fence finger fire \
    fish flag flower forest fox garden gate glass glove gold grape hammer hat hill honey horse house iron island jacket key kite ladder lake \
    lamp leaf lemon lion map milk mirror moon mountain nail needle nest ocean onion orange paper pencil piano pillow pocket rabbit ribbon river \
    rocket saddle shadow silver spoon star
    """.split(whereSeparator: \.isWhitespace).map(String.init)
}
