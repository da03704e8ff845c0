import Foundation
import TextScores

/// Sentence BLEU-4 without smoothing, the figure FedSEA reports.
package struct UnsmoothedBLEU: LeakageMetric {
  package init() {}

  package let descriptor = MetricDescriptor(
    name: "bleu4_unsmoothed", summary: "mean sentence BLEU-4 without smoothing, whitespace words (FedSEA's)",
    definition: """
      brevity penalty × geometric mean of the clipped 1- to 4-gram precisions of each document over whitespace-separated words (nltk sentence_bleu \
      without a smoothing function), averaged over documents; 0 if any order has no match, where nltk substitutes 2.2e-308
      """, unit: "fraction", range: 0...1)

  package func score(_ document: ScoredDocument) -> Double? {
    let counts = BLEUCounts(truth: whitespaceWords(document.truthText), guess: whitespaceWords(document.guessText))
    guard counts.truthLength > 0 else { return nil }
    guard counts.matches.allSatisfy({ $0 > 0 }) else { return 0 }
    let logSum = zip(counts.matches, counts.totals).reduce(0) { $0 + log($1.0 / $1.1) }
    return counts.brevityPenalty * exp(logSum / 4)
  }
}
