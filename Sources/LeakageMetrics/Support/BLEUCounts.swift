import Foundation
import TextScores

/// The sufficient statistics of BLEU-4 (Papineni et al. 2002) with one reference; they add up over documents.
struct BLEUCounts {
  var guessLength: Double
  var truthLength: Double
  /// Clipped matches for n = 1…4.
  var matches: [Double]
  /// n-grams in the guess for n = 1…4.
  var totals: [Double]

  init(truth: [ArraySlice<UInt8>], guess: [ArraySlice<UInt8>]) {
    var vocabulary = WordVocabulary()
    let (truth, guess) = (vocabulary.identifiers(truth), vocabulary.identifiers(guess))
    (guessLength, truthLength, matches, totals) = (Double(guess.count), Double(truth.count), [], [])
    for order in 1...4 {
      let counts = NGramCounts(guess, order: order)
      matches.append(Double(counts.overlap(with: NGramCounts(truth, order: order))))
      totals.append(Double(counts.total))
    }
  }

  /// Flat form: guess length, truth length, four matches, four totals.
  var values: [Double] { [guessLength, truthLength] + matches + totals }

  init(values: [Double]) {
    precondition(values.count == 10, "BLEU has 10 statistics, got \(values.count)")
    (guessLength, truthLength, matches, totals) = (values[0], values[1], Array(values[2..<6]), Array(values[6..<10]))
  }

  /// exp(1 - truth/guess) for a guess that is too short, else 1.
  var brevityPenalty: Double {
    guessLength >= truthLength ? 1 : guessLength > 0 ? exp(1 - truthLength / guessLength) : 0
  }
}
