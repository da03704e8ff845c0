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

  struct Step {
    var token: Int32
    /// One position.
    var posterior: TokenPosterior
  }

  static let posteriorWidth = 16

  /// Doubt about texts that explain the gradient, and about others.
  private static let doubts = (verified: 1e-3, other: 0.05)

  /// One document, as far as the spans gave it.
  struct Known {
    var text: [Int32]
    /// Texts as long, any of which may be this document's.
    var rivals: [[Int32]]
    /// Whether the texts of the message explain its whole gradient.
    var isVerified: Bool
    /// Tokens of the whole message; those that were not used yet are preferred where the text is unknown.
    var bag: [Int32]
    /// Of the document.
    var length: Int
  }

  /// A document that the language model goes on with.
  private struct Draft {
    var steps: [Step]
    var branch: LanguagePrior.Branch
    /// Nothing of the bag is known of a document's last token, nor of its first.
    var unused: Set<Int32>
  }

  /// Documents completed in step with each other: a step reads the model's weights once for all of them.
  private static let together = 64

  /// The steps of every document.
  /// - Parameter progress: called with the share that is done; may throw to stop.
  func completed(_ documents: [Known], progress: (Double) throws -> Void) throws -> [[Step]] {
    var out: [[Step]] = []
    for first in stride(from: 0, to: documents.count, by: Self.together) {
      let group = Array(documents[first..<min(first + Self.together, documents.count)])
      out += try completedTogether(group) { try progress((Double(first) + $0 * Double(group.count)) / Double(documents.count)) }
    }
    return out
  }

  private func completedTogether(_ group: [Known], _ progress: (Double) throws -> Void) throws -> [[Step]] {
    var drafts = group.map { known -> Draft in
      let doubt = known.isVerified ? Self.doubts.verified : Self.doubts.other
      let steps = known.text.prefix(known.length).enumerated().map { i, token in
        told(token, rivals: known.rivals.map { $0[i] }, doubt: doubt)
      }
      let branch = steps.count < known.length ? prior.after(known.text) : prior.start()
      return Draft(steps: steps, branch: branch, unused: Set(known.bag).subtracting(known.text.dropFirst()))
    }
    let missing = zip(group, drafts).map { $0.length - $1.steps.count }.max() ?? 0
    for step in 0..<max(0, missing) {
      for (i, known) in group.enumerated() where drafts[i].steps.count < known.length { extend(&drafts[i], known) }
      let going = group.indices.filter { drafts[$0].steps.count < group[$0].length }
      for (i, branch) in zip(going, prior.advance(going.map { (drafts[$0].branch, drafts[$0].steps.last!.token) })) {
        drafts[i].branch = branch
      }
      try progress(Double(step + 1) / Double(missing))
    }
    return drafts.map(\.steps)
  }

  /// One more token: the likeliest, with ninety-nine hundredths of the mass on what is left of the bag.
  private func extend(_ draft: inout Draft, _ known: Known) {
    var row = prior.logProbabilities(of: draft.branch)
    let isInside = draft.steps.count > 0 && draft.steps.count < known.length - 1 && !known.bag.isEmpty
    if isInside {
      let pool = draft.unused.isEmpty ? Set(known.bag) : draft.unused
      let inside = logSum(pool.map { row[Int($0)] })
      for token in pool { row[Int(token)] += Float(log(0.99) - inside) }
      let other = log(0.01) - logSubtract(0, min(inside, -1e-6))
      for v in 0..<vocabulary where !pool.contains(Int32(v)) { row[v] += Float(other) }
    }
    let token = argmax(row[...])
    draft.unused.remove(token)
    var posterior = TokenPosterior(width: Self.posteriorWidth)
    posterior.append(densest: row, width: Self.posteriorWidth)
    draft.steps.append(Step(token: token, posterior: posterior))
  }

  /// A token that a span gave, up to those that stand at its place in texts of the same length.
  /// - Parameter doubt: probability that the span misled: little where the texts of the message explain its whole gradient.
  private func told(_ token: Int32, rivals: [Int32], doubt: Double) -> Step {
    var counts: [(token: Int32, count: Int)] = [(token, 1)]
    for rival in rivals {
      if let known = counts.firstIndex(where: { $0.token == rival }) { counts[known].count += 1 } else { counts.append((rival, 1)) }
    }
    let listed = counts.sorted { $0.count > $1.count }.prefix(Self.posteriorWidth)
    let mass = listed.reduce(0) { $0 + $1.count }
    var posterior = TokenPosterior(width: Self.posteriorWidth)
    posterior.append(
      ids: listed.map(\.token), logProbabilities: listed.map { Float(log((1 - doubt) * Double($0.count) / Double(mass))) },
      rest: Float(log(doubt)))
    return Step(token: token, posterior: posterior)
  }
}
