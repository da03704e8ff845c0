package import PrivateText

/// What a metric is, for tables, plots and the reader who wants to check it.
package struct MetricDescriptor: Sendable, Hashable {
  /// snake_case, as plans and records write it.
  package var name: String
  /// One line for a table of metrics.
  package var summary: String
  /// The definition, precise enough to recompute it, and its source.
  package var definition: String
  /// Unit of a value: `fraction`, `points`, `bits`.
  package var unit: String
  /// Smallest and largest possible value; infinite where there is no bound.
  package var range: ClosedRange<Double>
  package var higherLeaksMore: Bool

  package init(name: String, summary: String, definition: String, unit: String, range: ClosedRange<Double>, higherLeaksMore: Bool = true) {
    (self.name, self.summary, self.definition) = (name, summary, definition)
    (self.unit, self.range, self.higherLeaksMore) = (unit, range, higherLeaksMore)
  }
}

/// A private document beside what an attack made of it.
package struct ScoredDocument: Sendable {
  package var truthTokens: [Int32]
  package var guessTokens: [Int32]
  package var truthText: String
  package var guessText: String
  /// The guess that fits best where the texts of one training message may be handed out in any order; nil where that was not asked.
  package var matchedGuessText: String?
  /// ln p_attack(true token) per position, as many as `truthTokens`; nil for an attack that makes only point guesses.
  package var truthLogProbability: [Double]?
  /// ln q(true token | true prefix) per position under the public language model.
  package var priorLogProbability: [Double]?
  /// Whether the true token is rare in public text, per position; nil without public text.
  package var isRare: [Bool]?
  /// Whether the true token is part of a content word, per position; nil where words were not looked for.
  package var isContent: [Bool]?
  /// Whether the model wrote the token, per position; nil where it wrote nothing.
  package var isResponse: [Bool]?
  /// Marked personal data and canaries beside what was guessed in their place; nil where the data set marks nothing.
  package var entities: [ScoredEntity]?
  /// Where the true secret of each canary ranks; nil where the data set has none, or the attack has no posterior.
  package var secretRanks: [SecretRank]?

  package init(
    truthTokens: [Int32], guessTokens: [Int32], truthText: String, guessText: String, truthLogProbability: [Double]? = nil,
    priorLogProbability: [Double]? = nil, isRare: [Bool]? = nil, isContent: [Bool]? = nil, entities: [ScoredEntity]? = nil,
    secretRanks: [SecretRank]? = nil, isResponse: [Bool]? = nil, matchedGuessText: String? = nil
  ) {
    (self.isResponse, self.matchedGuessText) = (isResponse, matchedGuessText)
    (self.truthTokens, self.guessTokens, self.truthText, self.guessText) = (truthTokens, guessTokens, truthText, guessText)
    (self.truthLogProbability, self.priorLogProbability) = (truthLogProbability, priorLogProbability)
    (self.isRare, self.isContent, self.entities, self.secretRanks) = (isRare, isContent, entities, secretRanks)
  }
}

/// A marked part of a private document, and the text of the guesses at its positions.
package struct ScoredEntity: Sendable {
  package var kind: PrivateEntity.Kind
  package var text: String
  package var guess: String

  package init(kind: PrivateEntity.Kind, text: String, guess: String) { (self.kind, self.text, self.guess) = (kind, text, guess) }
}

/// One way to say how much of a document leaked.
///
/// Most metrics only implement `score`: the corpus value is then the mean over the documents. A metric whose corpus value is no mean (BLEU) gives
/// `statistics` that add up over documents and an `aggregate` of their sum; the bootstrap resamples those.
package protocol LeakageMetric: Sendable {
  var descriptor: MetricDescriptor { get }
  /// The value for one document; nil where it is undefined, for example for an empty document.
  func score(_ document: ScoredDocument) -> Double?
  /// The document's additive share of the corpus value, always of the same length; nil leaves the document out.
  func statistics(_ document: ScoredDocument) -> [Double]?
  /// The corpus value of a sum of `statistics` over at least one document.
  func aggregate(_ sum: [Double]) -> Double
}

extension LeakageMetric {
  package func statistics(_ document: ScoredDocument) -> [Double]? { score(document).map { [$0, 1] } }
  package func aggregate(_ sum: [Double]) -> Double { sum[0] / sum[1] }
}
