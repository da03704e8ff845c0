import TextScores

/// A number in 0...1 that compares a generated text with its references.
package enum GenerationMetric: String, Sendable, Hashable, CaseIterable {
  /// F1 of words, of pairs of words and of the longest common subsequence, as `rouge_score` has them; the best over the references.
  case rouge1 = "rouge1_f"
  case rouge2 = "rouge2_f"
  case rougeL = "rougeL_f"
  /// CoQA's F1 of words and its exact match, of normalised text.
  ///
  /// With several references the official evaluation leaves each out in turn, takes the best over the others, and averages: a model is so
  /// compared with as many references as a person would be.
  case tokenF1 = "f1"
  case exactMatch = "em"

  /// The value for one text. White space around the texts does not count. Traps without a reference.
  package func value(_ text: String, references: [String]) -> Double {
    precondition(!references.isEmpty, "there is no reference")
    switch self {
    case .rouge1: return best(references) { Rouge.n(1, truth: $0, guess: text) }
    case .rouge2: return best(references) { Rouge.n(2, truth: $0, guess: text) }
    case .rougeL: return best(references) { Rouge.l(truth: $0, guess: text) }
    case .tokenF1, .exactMatch:
      let guess = AnswerWords.words(text)
      return leavingOneOut(
        references.map { reference in
          let words = AnswerWords.words(reference)
          return self == .tokenF1 ? AnswerWords.f1(words, guess) : words == guess ? 1 : 0
        })
    }
  }

  private func best(_ references: [String], _ score: (String) -> Double?) -> Double { references.reduce(0) { max($0, score($1) ?? 0) } }

  /// The mean over the references of the best value of the others; the value itself if there is one only.
  private func leavingOneOut(_ values: [Double]) -> Double {
    guard values.count > 1, let top = values.max(), let place = values.firstIndex(of: top) else { return values[0] }
    // Leaving out any but the best leaves the best.
    let second = values.indices.filter { $0 != place }.reduce(0) { max($0, values[$1]) }
    return (top * Double(values.count - 1) + second) / Double(values.count)
  }
}
