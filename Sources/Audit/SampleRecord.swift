/// One line of samples.jsonl: what one attack made of one document in one cell.
package struct SampleRecord: Sendable, Codable, Equatable {
  /// The cell, as in `CellResult.cell`.
  package var cell: String
  /// Index of the document in the data set, from 0.
  package var document: Int
  package var attack: String
  /// Path of the attacked channel in view.h5.
  package var channel: String?
  /// Private tokens in the document.
  package var tokens: Int
  /// Positions at which the guess is right.
  package var matchingTokens: Int
  /// `matchingTokens / tokens`.
  package var tokenAccuracy: Double
  /// Every position right.
  package var exactMatch: Bool
  /// One character a position, `1` right and `0` wrong: where it leaked, without the text.
  package var matches: String?
  /// The private text; absent unless the plan keeps texts.
  package var truthText: String?
  /// The attacker's text; hostile input for whoever shows it.
  package var guessText: String?
  /// Further scores of this document, by metric.
  package var scores: [String: Double]?

  package init(
    cell: String, document: Int, attack: String, channel: String? = nil, tokens: Int, matchingTokens: Int, matches: String? = nil,
    truthText: String? = nil, guessText: String? = nil, scores: [String: Double]? = nil
  ) {
    precondition(matchingTokens >= 0 && matchingTokens <= tokens, "\(matchingTokens) of \(tokens) tokens cannot match")
    (self.cell, self.document, self.attack, self.channel) = (cell, document, attack, channel)
    (self.tokens, self.matchingTokens, self.matches) = (tokens, matchingTokens, matches)
    tokenAccuracy = tokens == 0 ? 0 : Double(matchingTokens) / Double(tokens)
    exactMatch = tokens > 0 && matchingTokens == tokens
    (self.truthText, self.guessText, self.scores) = (truthText, guessText, scores)
  }

  enum CodingKeys: String, CodingKey {
    case cell, document, attack, channel, tokens, matchingTokens = "matching_tokens", tokenAccuracy = "token_accuracy"
    case exactMatch = "exact_match", matches, truthText = "truth_text", guessText = "guess_text", scores
  }
}
