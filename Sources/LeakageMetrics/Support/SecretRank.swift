package import Audit
import Foundation

/// Where a true secret stands among all that it could have been, by an attack's likelihood.
package struct SecretRank: Sendable, Equatable {
  /// 1 is the most likely; alternatives of equal likelihood share the middle of their ranks.
  package var rank: Double
  /// How many could have been (R), the truth among them.
  package var alternatives: Int

  package init(rank: Double, alternatives: Int) { (self.rank, self.alternatives) = (rank, alternatives) }

  /// log2 R − log2 rank, bits.
  package var exposure: Double { log2(Double(alternatives)) - log2(rank) }
}

/// The rank of `candidates[truth]` among all candidates, each scored by Σ ln p(token) over the same positions.
///
/// Unlisted tokens share the rest of the mass uniformly; every row is mixed with `uniformShare` of the uniform law, as in `truthLogProbabilities`.
/// - Parameters:
///   - candidates: token ids, all of the same length.
///   - posterior: has been checked by `truthLogProbabilities`.
///   - position: of the secret's first token in the packed posterior.
package func secretRank(
  of truth: Int, among candidates: [[Int32]], in posterior: TokenPosterior, from position: Int, vocabularySize: Int
) -> SecretRank {
  let length = candidates[truth].count
  precondition(candidates.allSatisfy { $0.count == length } && position + length <= posterior.positions, "candidates of unequal length")
  let rows = (0..<length).map { step -> (listed: [Int32: Double], other: Double) in
    let entries = (position + step) * posterior.width..<(position + step + 1) * posterior.width
    let listed = entries.filter { posterior.ids[$0] >= 0 }.map { (posterior.ids[$0], exp(Double(posterior.logProbabilities[$0]))) }
    let unlisted = vocabularySize - listed.count
    let rest = unlisted > 0 ? exp(Double(posterior.restLogProbability[position + step])) : 0
    let total = listed.reduce(rest) { $0 + $1.1 }
    func mixed(_ p: Double) -> Double { log((1 - uniformShare) * p / total + uniformShare / Double(vocabularySize)) }
    return (
      Dictionary(listed.map { ($0, mixed($1)) }) { first, _ in first }, mixed(unlisted > 0 ? rest / Double(unlisted) : 0)
    )
  }
  func score(_ tokens: [Int32]) -> Double { zip(rows, tokens).reduce(0) { $0 + ($1.0.listed[$1.1] ?? $1.0.other) } }
  let own = score(candidates[truth])
  var (better, equal) = (0, 0)
  for (index, candidate) in candidates.enumerated() where index != truth {
    let other = score(candidate)
    // Sums of equal terms in another order may differ in the last digits.
    if abs(other - own) <= 1e-9 * max(1, abs(own)) { equal += 1 } else if other > own { better += 1 }
  }
  return SecretRank(rank: Double(1 + better) + Double(equal) / 2, alternatives: candidates.count)
}
