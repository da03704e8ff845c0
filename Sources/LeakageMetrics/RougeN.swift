/// ROUGE-N F1 (Lin 2004), equal to Python `rouge_score` without stemming.
package struct RougeN: LeakageMetric {
  package let order: Int

  /// - Parameter order: 1 for words, 2 for pairs of words; at most 4.
  package init(order: Int) {
    precondition((1...4).contains(order), "ROUGE-N needs an order of 1 to 4, got \(order)")
    self.order = order
  }

  package var descriptor: MetricDescriptor {
    MetricDescriptor(
      name: "rouge\(order)_f", summary: "F1 of overlapping word \(order)-grams",
      definition: """
        F1 of clipped \(order)-gram counts over lower-case runs of [a-z0-9], no stemming: Python rouge_score. Python `rouge` differs: it is \
        case-sensitive, splits at spaces only (punctuation stays on the word), counts each distinct n-gram once, and adds 1e-8 to the \
        denominator. Undefined if the truth has no such n-gram (rouge_score says 0)
        """, unit: "fraction", range: 0...1)
  }

  package func score(_ document: ScoredDocument) -> Double? {
    var vocabulary = WordVocabulary()
    let truth = NGramCounts(vocabulary.identifiers(rougeWords(document.truthText)), order: order)
    let guess = NGramCounts(vocabulary.identifiers(rougeWords(document.guessText)), order: order)
    guard truth.total > 0 else { return nil }
    return f1(overlap: truth.overlap(with: guess), truth: truth.total, guess: guess.total)
  }
}

/// 2PR / (P + R) of `overlap` common items, evaluated as rouge_score does; 0 without overlap.
func f1(overlap: Int, truth: Int, guess: Int) -> Double {
  guard overlap > 0 else { return 0 }
  let (precision, recall) = (Double(overlap) / Double(guess), Double(overlap) / Double(truth))
  return 2 * precision * recall / (precision + recall)
}
