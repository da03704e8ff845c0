import Foundation
import LeakageMetrics

/// Tests/Fixtures/metrics_reference.json, written by the script beside it.
struct Reference: Decodable {
  struct Document: Decodable {
    var truth, guess: String
    var truth_tokens, guess_tokens: [Int32]
    var rouge_words: Int
    var rouge: [Double]
    var bleu: Double
    var bleu_statistics: [Double]
    var unsmoothed: Double
    var char_edit: Double?
    var accuracy, bag, token_edit: Double

    var scored: ScoredDocument {
      ScoredDocument(truthTokens: truth_tokens, guessTokens: guess_tokens, truthText: truth, guessText: guess)
    }
  }
  struct Subset: Decodable { var first, end, step: Int }
  var documents: [Document]
  var corpus_bleu: Double
  var subset: Subset
  var bootstrap_accuracy: Estimate
  var bootstrap_bleu: Estimate
  var spaces: [UInt32]

  static func load() throws -> Reference {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures/metrics_reference.json").standardized
    return try JSONDecoder().decode(Reference.self, from: Data(contentsOf: file))
  }
}

func document(_ truth: String, _ guess: String, tokens: [Int32] = [1], guessed: [Int32] = [1]) -> ScoredDocument {
  ScoredDocument(truthTokens: tokens, guessTokens: guessed, truthText: truth, guessText: guess)
}
