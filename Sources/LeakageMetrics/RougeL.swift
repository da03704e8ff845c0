import TextScores

/// ROUGE-L F1 over the whole text (Lin 2004), equal to Python `rouge_score` without stemming.
package struct RougeL: LeakageMetric {
  package init() {}

  package let descriptor = MetricDescriptor(
    name: "rougeL_f", summary: "F1 of the longest common word subsequence",
    definition: """
      F1 of the longest common subsequence of lower-case runs of [a-z0-9], no stemming, the text as one sequence: Python rouge_score's rougeL \
      (not rougeLsum). Python `rouge` differs: case-sensitive, split at spaces, and a union of subsequences over sentences split at full stops. \
      Undefined if the truth has no word (rouge_score says 0)
      """, unit: "fraction", range: 0...1)

  package func score(_ document: ScoredDocument) -> Double? { Rouge.l(truth: document.truthText, guess: document.guessText) }
}
