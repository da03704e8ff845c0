/// ROUGE F1 (Lin 2004) of two texts, equal to Python `rouge_score` without stemming.
package enum Rouge {
  /// F1 of clipped n-gram counts, `order` 1 to 4; nil if the truth has no such n-gram.
  package static func n(_ order: Int, truth: String, guess: String) -> Double? {
    var vocabulary = WordVocabulary()
    let truth = NGramCounts(vocabulary.identifiers(rougeWords(truth)), order: order)
    let guess = NGramCounts(vocabulary.identifiers(rougeWords(guess)), order: order)
    guard truth.total > 0 else { return nil }
    return f1(overlap: truth.overlap(with: guess), truth: truth.total, guess: guess.total)
  }

  /// F1 of the longest common subsequence of words, each text as one sequence; nil if the truth has no word.
  package static func l(truth: String, guess: String) -> Double? {
    var vocabulary = WordVocabulary()
    let truth = vocabulary.identifiers(rougeWords(truth))
    let guess = vocabulary.identifiers(rougeWords(guess))
    guard !truth.isEmpty else { return nil }
    return f1(overlap: longestCommonSubsequence(truth, guess), truth: truth.count, guess: guess.count)
  }
}

/// 2PR / (P + R) of `overlap` common items, evaluated as rouge_score does; 0 without overlap.
package func f1(overlap: Int, truth: Int, guess: Int) -> Double {
  guard overlap > 0 else { return 0 }
  let (precision, recall) = (Double(overlap) / Double(guess), Double(overlap) / Double(truth))
  return 2 * precision * recall / (precision + recall)
}
