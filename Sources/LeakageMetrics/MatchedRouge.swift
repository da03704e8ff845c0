import TextScores

/// ROUGE-1 F1 where texts of one training message may be handed out in any order: what was read, whichever row of the batch it is put into.
package struct MatchedRouge: LeakageMetric {
  package init() {}

  package let descriptor = MetricDescriptor(
    name: "rouge1_f_matched", summary: "rouge1_f, texts of one training message matched to each other as they fit best",
    definition: """
      rouge1_f of each document and the guess that is assigned to it: within a training message of several documents the assignment with the \
      greatest sum of rouge1_f (Kuhn 1955), as attacks on batched gradients are scored (LAMP, Balunović et al. 2022; DAGER, Petrov et al. 2024): a \
      gradient is a sum over the batch and cannot tell rows. Equal to rouge1_f where a message holds one document. Undefined as rouge1_f is
      """, unit: "fraction", range: 0...1)

  package func score(_ document: ScoredDocument) -> Double? {
    Rouge.n(1, truth: document.truthText, guess: document.matchedGuessText ?? document.guessText)
  }

  /// Which guess goes to which truth, for texts of one message: index of the guess of each truth.
  package static func matching(truths: [String], guesses: [String]) -> [Int] {
    precondition(truths.count == guesses.count, "\(truths.count) truths for \(guesses.count) guesses")
    return Assignment.best(truths.map { truth in guesses.map { Rouge.n(1, truth: truth, guess: $0) ?? 0 } })
  }
}
