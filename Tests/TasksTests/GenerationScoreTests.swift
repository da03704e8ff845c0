import Foundation
import Tasks
import Testing

/// Tests/Fixtures/generation_reference.json, written by the script beside it.
private struct GenerationReference: Decodable {
  struct Case: Decodable {
    var text: String
    var references: [String]
    /// Best F of ROUGE-1, ROUGE-2 and ROUGE-L.
    var rouge: [Double]
    var f1: Double
    var em: Double
  }

  var cases: [Case]

  static func load() throws -> GenerationReference {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures/generation_reference.json").standardized
    return try JSONDecoder().decode(GenerationReference.self, from: Data(contentsOf: file))
  }
}

@Suite struct GenerationScoreTests {
  @Test func everyMetricEqualsPython() throws {
    let cases = try GenerationReference.load().cases
    #expect(cases.count == 160)
    for item in cases {
      let expected: [(GenerationMetric, Double)] = [
        (.rouge1, item.rouge[0]), (.rouge2, item.rouge[1]), (.rougeL, item.rouge[2]), (.tokenF1, item.f1), (.exactMatch, item.em),
      ]
      for (metric, value) in expected {
        #expect(abs(metric.value(item.text, references: item.references) - value) < 1e-12, "\(metric) \(item)")
      }
    }
  }

  /// Leaving one out: with the references "red", "deep red", "blue" and the text "red", F1 is 1, 2/3, 0; the best of the others is
  /// 2/3, 1, 1, their mean 8/9. Exact match is 1, 0, 0, hence 0, 1, 1 and 2/3.
  @Test func severalReferencesAreLeftOutInTurn() {
    let references = [" red", " deep red", " blue"]
    #expect(abs(GenerationMetric.tokenF1.value("Red.", references: references) - 8 / 9.0) < 1e-12)
    #expect(abs(GenerationMetric.exactMatch.value("the red!", references: references) - 2 / 3.0) < 1e-12)
    #expect(GenerationMetric.exactMatch.value("the red!", references: [" red"]) == 1)
    #expect(GenerationMetric.rouge1.value("red", references: references) == 1)
  }

  @Test func scoresAreMeans() {
    let examples = ["yes", "no"].map { GenerationExample(id: $0, prompt: "?", references: [" \($0)"]) }
    let score = GenerationScore([.tokenF1, .rougeL, .tokenF1], generated: [" yes", ""], of: examples)
    #expect(score[.tokenF1] == 0.5 && score[.rougeL] == 0.5 && score[.exactMatch] == nil && score.examples == 2)
  }

  @Test func textsWithoutWords() {
    for metric in GenerationMetric.allCases {
      let isAnswer = metric == .tokenF1 || metric == .exactMatch
      #expect(metric.value("the", references: ["..."]) == (isAnswer ? 1 : 0))
      #expect(metric.value("", references: ["yes"]) == 0)
    }
  }
}
