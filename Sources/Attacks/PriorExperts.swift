import Foundation
import Kernels

/// How far the language model is to be believed after a prefix that may be wrong: two experts about the next token, the language model given the decoded
/// prefix and the unigram, mixed by how well each explained the observations before.
///
///     prior(v) = w q(v | prefix) + (1 − w) u(v)
///     w ← (1 − α) w E_q / (w E_q + (1 − w) E_u) + α/2,     E_q = Σ_v q(v | prefix) p(y_t | v)
///
/// w is the exact posterior that the language model is the better expert, where the better one changes with probability α/2 from token to token: a
/// prefix is lost and found again (fixed share, Herbster & Warmuth 1998). Where the states tell the tokens, E_q > E_u by nats a token and w stays at its
/// upper end; where they do not, wrong prefixes give the language model's bets away and w falls.
package struct PriorExperts: Sendable {
  /// w.
  package private(set) var weight: Double

  /// α, and w before the second token.
  package static let share = 0.05
  static let atFirst = 0.9

  /// - Parameter weight: w at the start.
  package init(weight: Double = atFirst) { self.weight = weight }

  /// ln(w q(v) + (1 − w) u(v)), [V].
  /// - Parameters:
  ///   - language: ln q(v | prefix), [V].
  ///   - unigram: ln u(v), [V].
  package func mixed(_ language: [Float], _ unigram: [Float]) -> [Float] {
    precondition(language.count == unigram.count, "\(language.count) and \(unigram.count) tokens")
    let (ofLanguage, ofUnigram) = (Float(log(weight)), Float(log1p(-weight)))
    return .filled(language.count) { out in
      for v in language.indices {
        let (a, b) = (ofLanguage + language[v], ofUnigram + unigram[v])
        out[v] = max(a, b) + log1p(exp(-abs(a - b)))
      }
    }
  }

  /// After one observation.
  /// - Parameters:
  ///   - language: ln E_q.
  ///   - unigram: ln E_u.
  package mutating func learn(language: Double, unigram: Double) {
    let odds = exp(unigram - language) * (1 - weight) / weight
    let posterior = odds.isNaN ? weight : 1 / (1 + odds)
    weight = (1 - Self.share) * posterior + Self.share / 2
  }
}
