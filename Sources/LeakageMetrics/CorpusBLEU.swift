import Foundation

/// Corpus BLEU-4 as sacreBLEU computes it (Post 2018).
package struct CorpusBLEU: LeakageMetric {
  package init() {}

  package let descriptor = MetricDescriptor(
    name: "bleu4", summary: "corpus BLEU-4 as sacreBLEU",
    definition: """
      sacreBLEU corpus BLEU, nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp, in points; the n-gram counts of all documents are added first, so it is \
      no mean of document values. A document's own value is the score of a corpus of one, 0 below four words
      """, unit: "points", range: 0...100)

  package func score(_ document: ScoredDocument) -> Double? { statistics(document).map(aggregate) }

  /// Guess length, truth length, then clipped matches and n-grams guessed for n = 1…4; nil if both texts are empty.
  package func statistics(_ document: ScoredDocument) -> [Double]? {
    let counts = BLEUCounts(truth: words13a(document.truthText), guess: words13a(document.guessText))
    return counts.truthLength + counts.guessLength == 0 ? nil : counts.values
  }

  package func aggregate(_ sum: [Double]) -> Double {
    let counts = BLEUCounts(values: sum)
    guard counts.matches.contains(where: { $0 > 0 }) else { return 0 }
    var smoothing = 1.0
    var logSum = 0.0
    for (matches, total) in zip(counts.matches, counts.totals) {
      if total == 0 { return 0 }
      if matches == 0 { smoothing *= 2 }
      logSum += log(matches == 0 ? 100 / (smoothing * total) : 100 * matches / total)
    }
    return min(100, counts.brevityPenalty * exp(logSum / 4))
  }
}
