import Tasks
import Testing

@Suite struct ScoreTests {
  /// Three questions of labels 1 1 0 / 1 0 / 0 0.
  let options = zip(["a", "a", "a", "b", "b", "c", "c"], [1, 1, 0, 1, 0, 0, 0]).enumerated().map { index, option in
    TaskExample(id: "\(index)", group: option.0, prompt: "?", choices: [" no", " yes"], label: option.1)
  }

  private func near(_ a: Double?, _ b: Double) -> Bool { abs((a ?? .nan) - b) < 1e-12 }

  @Test func multiRC() {
    let score = TaskScore(SuperGLUETask.multirc.metrics, predicted: [1, 0, 1, 1, 0, 0, 0], of: options)
    // Two of three predictions and of three labels: F1a 2/3. Precisions 1/2, 1, 1 and recalls 1/2, 1, 1: F1m 5/6. b and c are right.
    #expect(near(score[.answerF1], 2 / 3.0) && near(score[.questionF1], 5 / 6.0) && near(score[.exactMatch], 2 / 3.0))
    #expect(near(score.overall, 2 / 3.0) && score[.accuracy] == nil && score.examples == 7)
    // Precisions 1, 1, 0 and recalls 1/2, 0, 1.
    let other = TaskScore(SuperGLUETask.multirc.metrics, predicted: [1, 0, 0, 0, 0, 1, 0], of: options)
    #expect(near(other[.answerF1], 0.4) && near(other[.questionF1], 2 * (2 / 3.0) * 0.5 / (2 / 3.0 + 0.5)) && near(other[.exactMatch], 0))
    let none = TaskScore(SuperGLUETask.multirc.metrics, predicted: [0, 0, 0, 0, 0, 0, 0], of: options)
    #expect(near(none[.answerF1], 0) && near(none[.questionF1], 0.5) && near(none[.exactMatch], 1 / 3.0))
  }

  @Test func commitmentBank() {
    let examples = madeUp([0, 0, 1, 1, 2])
    let score = TaskScore(SuperGLUETask.cb.metrics, predicted: [0, 1, 1, 1, 0], of: examples)
    // F1 of the three: 1/2, 4/5, 0.
    #expect(near(score[.accuracy], 0.6) && near(score[.macroF1], 1.3 / 3) && near(score.overall, (0.6 + 1.3 / 3) / 2))
    // A choice that never occurs does not count.
    #expect(TaskScore([.macroF1], predicted: [0, 1], of: madeUp([0, 1]))[.macroF1] == 1)
  }

  @Test func everyAcceptedAnswerIsRight() throws {
    let queries = try sample(.record)
    #expect(TaskScore(predicted: [1, 2], of: queries)[.accuracy] == 1)
    #expect(TaskScore(predicted: [2, 2], of: queries)[.accuracy] == 0.5)
  }
}
