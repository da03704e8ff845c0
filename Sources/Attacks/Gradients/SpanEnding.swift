import Audit
import Checkpoints
import Foundation
import Kernels
import Llama

/// Completes what the spans gave: the language model guesses last tokens, and where only the bag of a message is known it orders that.
struct SpanEnding {
  private let prior: LanguagePrior
  private let vocabulary: Int

  init(_ means: AttackerMeans) { (prior, vocabulary) = (LanguagePrior(means), means.model.configuration.vocabularySize) }

  /// A token that a span gave, up to those that stand at its place in texts of the same length, or one drawn from a distribution.
  struct Step {
    var token: Int32
    var rivals: [Int32] = []
    /// Probability that the span misled: little where the texts of the message explain its whole gradient.
    var doubt = 0.0
    /// ln p [V]; nil for a token that the span gave.
    var logProbabilities: [Float]?

    func posterior(width: Int) -> TokenPosterior {
      var out = TokenPosterior(width: width)
      if let logProbabilities {
        out.append(densest: logProbabilities, width: width)
      } else {
        var counts: [(token: Int32, count: Int)] = [(token, 1)]
        for rival in rivals {
          if let known = counts.firstIndex(where: { $0.token == rival }) { counts[known].count += 1 } else { counts.append((rival, 1)) }
        }
        let listed = counts.sorted { $0.count > $1.count }.prefix(width)
        let mass = listed.reduce(0) { $0 + $1.count }
        out.append(
          ids: listed.map(\.token), logProbabilities: listed.map { Float(log((1 - doubt) * Double($0.count) / Double(mass))) },
          rest: Float(log(doubt)))
      }
      return out
    }
  }

  /// Doubt about texts that explain the gradient, and about others.
  private static let doubts = (verified: 1e-3, other: 0.05)

  /// - Parameters:
  ///   - text: the known beginning; rivals: texts as long, any of which may be this document's.
  ///   - isVerified: whether the texts of the message explain its whole gradient.
  ///   - bag: tokens of the whole message; those that were not used yet are preferred where the text is unknown.
  ///   - length: of the document.
  func completed(_ text: [Int32], rivals: [[Int32]], isVerified: Bool, bag: [Int32], length: Int) -> [Step] {
    let doubt = isVerified ? Self.doubts.verified : Self.doubts.other
    var steps = text.prefix(length).enumerated().map { i, token in Step(token: token, rivals: rivals.map { $0[i] }, doubt: doubt) }
    guard steps.count < length else { return steps }
    var branch = prior.start()
    for token in text { branch = prior.advance([(branch, token)])[0] }
    // Nothing of the bag is known of a document's last token, nor of its first.
    var unused = Set(bag).subtracting(text.dropFirst())
    while steps.count < length {
      var row = prior.logProbabilities(of: branch)
      let isInside = steps.count > 0 && steps.count < length - 1 && !bag.isEmpty
      if isInside {
        let pool = unused.isEmpty ? Set(bag) : unused
        // Ninety-nine hundredths of the mass on what is left of the bag.
        let inside = logSum(pool.map { row[Int($0)] })
        for token in pool { row[Int(token)] += Float(log(0.99) - inside) }
        let other = log(0.01) - logSubtract(0, min(inside, -1e-6))
        for v in 0..<vocabulary where !pool.contains(Int32(v)) { row[v] += Float(other) }
      }
      let token = argmax(row[...])
      unused.remove(token)
      steps.append(Step(token: token, logProbabilities: row))
      if steps.count < length { branch = prior.advance([(branch, token)])[0] }
    }
    return steps
  }
}
