/// What an attack gives back: its best guess of every private token and, where it has one, its posterior.
package struct Reconstruction: Sendable, Equatable {
  /// One array of token ids per document, as long as the document.
  package var tokens: [[Int32]]
  /// The posterior over tokens at each position, all documents packed; nil when the attack makes only point guesses.
  package var posterior: TokenPosterior?
  /// What it cost.
  package var cost: AttackCost
  /// What a reader of the record must be told of this answer: a part that the attack could not read, a choice that it made.
  package var notes: [String] = []

  package init(tokens: [[Int32]], posterior: TokenPosterior? = nil, cost: AttackCost = AttackCost()) {
    (self.tokens, self.posterior, self.cost) = (tokens, posterior, cost)
  }
}

/// A truncated distribution over the vocabulary at each of N positions: K listed candidates, best first, and the rest of the mass, which is
/// taken as uniform over the tokens not listed. Natural logarithms. In guesses.h5 as `/candidates/ids`, `/candidates/log_probabilities`,
/// `/candidates/rest_log_probability`.
package struct TokenPosterior: Sendable, Equatable {
  /// Candidates listed per position (K).
  package var width: Int
  /// [N, K] token ids, best first; -1 pads a position that has fewer.
  package var ids: [Int32]
  /// [N, K] ln p of the candidate.
  package var logProbabilities: [Float]
  /// [N] ln of the total mass of all tokens that are not listed.
  package var restLogProbability: [Float]

  package init(width: Int, ids: [Int32] = [], logProbabilities: [Float] = [], restLogProbability: [Float] = []) {
    (self.width, self.ids, self.logProbabilities, self.restLogProbability) = (width, ids, logProbabilities, restLogProbability)
  }

  package var positions: Int { restLogProbability.count }
}

/// The attacker's bill.
package struct AttackCost: Sendable, Hashable, Codable {
  /// Wall-clock seconds.
  package var seconds: Double
  /// Candidate evaluations: one token through the client's input blocks each.
  package var candidateForwards: Int

  package init(seconds: Double = 0, candidateForwards: Int = 0) {
    (self.seconds, self.candidateForwards) = (seconds, candidateForwards)
  }
}
