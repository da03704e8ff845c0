package import Audit
import Foundation
import Checkpoints
import Kernels
import Llama

/// Guesses every token uniformly: the floor.
package struct UniformGuess: Attack {
  package static let description = MethodDescription(
    name: "uniform", summary: "a random token at every position", paper: "control", cost: "none", knowledge: .k0, channels: [.lengths],
    isBaseline: true)

  package init(_ settings: [String: SettingValue]) throws {}

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    let vocabulary = means.model.configuration.vocabularySize
    let random = CounterRandom(seed: means.seed, stream: "attack/uniform")
    let tokens = (0..<view.documents).map { document in
      view.range(of: document).map {
        Int32(random.words(item: UInt64(document), index: UInt32(truncatingIfNeeded: $0)).0 % UInt32(vocabulary))
      }
    }
    let posterior = TokenPosterior(
      width: 1, ids: .init(repeating: -1, count: view.tokens), logProbabilities: .init(repeating: -.infinity, count: view.tokens),
      restLogProbability: .init(repeating: 0, count: view.tokens))
    return Reconstruction(tokens: tokens, posterior: posterior)
  }
}

/// Guesses the most frequent token of public text at every position.
package struct UnigramGuess: Attack {
  package static let description = MethodDescription(
    name: "unigram", summary: "the most frequent token of public text at every position", paper: "control", cost: "none", knowledge: .k0,
    channels: [.lengths], isBaseline: true)

  package init(_ settings: [String: SettingValue]) throws {}

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    let unigram = Unigram.of(means)
    let top = unigram.ranked.prefix(64)
    let listed = top.map { unigram.logProbabilities[Int($0)] }
    let rest = log(max(1e-12, 1 - listed.reduce(0) { $0 + exp(Double($1)) }))
    var posterior = TokenPosterior(width: 64)
    for _ in 0..<view.tokens { posterior.append(ids: Array(top), logProbabilities: listed, rest: Float(rest)) }
    return Reconstruction(tokens: (0..<view.documents).map { view.range(of: $0).map { _ in unigram.ranked[0] } }, posterior: posterior)
  }
}

/// Greedy text of the language model, of the right length: what the prior alone says. It sees only the document lengths.
package struct LanguageModelGuess: Attack {
  package static let description = MethodDescription(
    name: "language-model", summary: "greedy language-model text of the true length", paper: "control", cost: "one model forward a token",
    knowledge: .k0, channels: [.lengths], isBaseline: true)

  package init(_ settings: [String: SettingValue]) throws {}

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    let longest = (0..<view.documents).map { view.range(of: $0).count }.max() ?? 0
    // Every document gets the same greedy text, because the model sees nothing of them: one pass serves all documents and all cells.
    let (text, steps) = try means.memory.table("language-model/\(longest)") { try Self.greedy(longest, means, progress) }
    var posterior = TokenPosterior(width: 64)
    for document in 0..<view.documents {
      for step in 0..<view.range(of: document).count { posterior.append(steps, position: step) }
    }
    return Reconstruction(tokens: (0..<view.documents).map { Array(text.prefix(view.range(of: $0).count)) }, posterior: posterior)
  }

  private static func greedy(_ length: Int, _ means: AttackerMeans, _ progress: (Double) throws -> Void) throws -> ([Int32], TokenPosterior)
  {
    let prior = LanguagePrior(means)
    var (text, steps) = ([Int32](), TokenPosterior(width: 64))
    var branch = prior.start()
    for step in 0..<length {
      let row = prior.logProbabilities(of: branch)
      steps.append(densest: row, width: 64)
      text.append(argmax(row[...]))
      if step + 1 < length { branch = prior.advance([(branch, text[step])])[0] }
      try progress(Double(step + 1) / Double(length))
    }
    return (text, steps)
  }
}
