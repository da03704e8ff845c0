import TextScores

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
    Rouge.n(order, truth: document.truthText, guess: document.guessText)
  }
}
