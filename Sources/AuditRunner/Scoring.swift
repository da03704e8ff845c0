package import Audit
import Diagnostics
import Foundation
package import LeakageMetrics
package import PrivateText
package import Tokenizers

/// Compares reconstructions with the truth. Only this side of the module graph sees both.
package struct Scoring: Sendable {
  package let documents: [PrivateDocument]
  /// ln q(true token | true prefix) per document, or nil where no model was at hand: what `bits_per_token` is measured against.
  package let priors: [[Double]]?
  package let metrics: [any LeakageMetric]
  package let tokenizer: any Tokenizer
  package let seed: UInt64
  private let aids: [ScoringAids]
  private let vocabularySize: Int

  /// - Parameters:
  ///   - publicText: token ids of public passages, by which tokens count as rare; empty where none is at hand.
  ///   - vocabularySize: tokens that a candidate may be, where the model has more embeddings than the tokenizer has tokens.
  package init(
    _ documents: [PrivateDocument], priors: [[Double]]?, metrics: [any LeakageMetric], tokenizer: any Tokenizer, seed: UInt64,
    publicText: [[Int32]] = [], vocabularySize: Int? = nil
  ) {
    self.vocabularySize = max(vocabularySize ?? 0, tokenizer.vocabularySize)
    let common = ScoringAids.commonTokens(publicText)
    aids = documents.map { ScoringAids($0, common: common, tokenizer) }
    (self.documents, self.priors, self.metrics, self.tokenizer, self.seed) = (documents, priors, metrics, tokenizer, seed)
  }

  /// Truth and guess of every document side by side. Throws when the reconstruction has another number of documents or tokens.
  /// - Parameters:
  ///   - chosen: the documents that the reconstruction is of, where it is not of all.
  ///   - messages: bounds of the training messages among all documents; empty where each document was one.
  package func paired(_ reconstruction: Reconstruction, of chosen: [Int]? = nil, messages: [Int] = []) throws -> [ScoredDocument] {
    let chosen = chosen ?? Array(documents.indices)
    guard reconstruction.tokens.count == chosen.count else {
      throw Fault(.invalidData, "the guesses are of \(reconstruction.tokens.count) documents, the truth of \(chosen.count)")
    }
    var position = 0
    var out = try zip(chosen, reconstruction.tokens).map { index, guess in
      let truth = documents[index]
      guard guess.count == truth.tokens.count else {
        throw Fault(.invalidData, "document \(index): \(guess.count) guessed tokens for \(truth.tokens.count) true ones")
      }
      defer { position += truth.tokens.count }
      let probabilities = try reconstruction.posterior.map {
        try truthLogProbabilities(of: truth.tokens, in: $0, from: position, vocabularySize: vocabularySize)
      }
      let entities = truth.entities?.map {
        ScoredEntity(kind: $0.kind, text: $0.text, guess: tokenizer.decode(Array(guess[$0.tokens])))
      }
      let ranks = reconstruction.posterior.flatMap { posterior in
        aids[index].secrets?.map {
          secretRank(
            of: $0.truth, among: $0.candidates, in: posterior, from: position + $0.position, vocabularySize: vocabularySize)
        }
      }
      return ScoredDocument(
        truthTokens: truth.tokens, guessTokens: guess, truthText: truth.text, guessText: tokenizer.decode(guess),
        truthLogProbability: probabilities, priorLogProbability: priors?[index], isRare: aids[index].isRare,
        isContent: aids[index].isContent,
        entities: entities, secretRanks: ranks,
        isResponse: truth.promptLength.map { prompt in truth.tokens.indices.map { $0 >= prompt } })
    }
    if metrics.contains(where: { $0 is MatchedRouge }) {
      for bounds in zip(messages, messages.dropFirst()) {
        let rows = chosen.indices.filter { (bounds.0..<bounds.1).contains(chosen[$0]) }
        let guesses = rows.map { out[$0].guessText }
        let matching = MatchedRouge.matching(truths: rows.map { out[$0].truthText }, guesses: guesses)
        for (row, guess) in zip(rows, matching) { out[row].matchedGuessText = guesses[guess] }
      }
    }
    return out
  }

  /// One line per document.
  package func samples(_ scored: Scored, cell: String) -> [SampleRecord] {
    zip(scored.chosen ?? Array(documents.indices), scored.documents).map { index, document in
      let matches = zip(document.truthTokens, document.guessTokens).map { $0 == $1 }
      return SampleRecord(
        cell: cell, document: index, attack: scored.attack, channel: scored.channel?.rawValue, tokens: matches.count,
        matchingTokens: matches.count { $0 }, matches: String(matches.map { $0 ? "1" : "0" }), truthText: document.truthText,
        guessText: document.guessText,
        scores: Dictionary(
          uniqueKeysWithValues: metrics.compactMap { metric in metric.score(document).map { (metric.descriptor.name, $0) } }))
    }
  }

  /// One attack's scored documents in one cell.
  package struct Scored: Sendable {
    package var attack: String
    package var isBaseline: Bool
    package var channel: Channel?
    package var documents: [ScoredDocument]
    package var seconds: Double
    package var candidateForwards: Int?
    /// The cell's documents that `documents` are, where they are not all.
    package var chosen: [Int]?

    package init(
      attack: String, isBaseline: Bool, channel: Channel?, documents: [ScoredDocument], seconds: Double, candidateForwards: Int? = nil,
      chosen: [Int]? = nil
    ) {
      self.candidateForwards = candidateForwards
      (self.attack, self.isBaseline, self.channel, self.documents, self.seconds) = (attack, isBaseline, channel, documents, seconds)
      self.chosen = chosen
    }
  }

  /// All results of one cell: every attack under every metric, gains against the strongest baseline of that metric that read all documents, on the
  /// documents that the attack read.
  package func results(_ attacks: [Scored], cell: String, settings: [String: SettingValue]) -> [CellResult] {
    metrics.flatMap { metric in
      let estimates = attacks.map { metric.estimate($0.documents, seed: seed) }
      let sign = metric.descriptor.higherLeaksMore ? 1.0 : -1.0
      let baseline = attacks.indices.filter { attacks[$0].isBaseline && attacks[$0].chosen == nil && estimates[$0] != nil }.max {
        sign * estimates[$0]!.mean < sign * estimates[$1]!.mean
      }
      return attacks.indices.compactMap { i -> CellResult? in
        guard let estimate = estimates[i] else { return nil }
        let gain =
          attacks[i].isBaseline
          ? nil
          : baseline.flatMap { b in
            let reference = attacks[b].documents
            return metric.gain(
              attack: attacks[i].documents, baseline: attacks[i].chosen.map { $0.map { reference[$0] } } ?? reference, seed: seed)
          }
        return CellResult(
          cell: cell, settings: settings, channel: attacks[i].channel?.rawValue ?? Channel.lengths.rawValue, attack: attacks[i].attack,
          metric: metric.descriptor.name, mean: estimate.mean, ci95: [estimate.lower, estimate.upper], stderr: estimate.standardError,
          n: estimate.n, higherLeaksMore: metric.descriptor.higherLeaksMore, gainOverBaseline: gain?.mean,
          gainCI95: gain?.ci95, seconds: attacks[i].seconds, candidateForwards: attacks[i].candidateForwards)
      }
    }
  }
}
