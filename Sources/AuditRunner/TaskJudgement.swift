import Diagnostics
import Foundation
import LeakageMetrics
import Llama
import Privacy
package import SplitLearning
import Tasks
import Tokenizers

/// How well client 0 of a federation does the task through the split, defense included.
package struct TaskJudgement {
  /// Metric → value over the whole validation part.
  package let values: [String: Double]
  /// 95 % of the first metric: Clopper–Pearson of an accuracy, bootstrap over examples (2,000 resamples, seed 1) of a mean.
  package let interval: [Double]

  /// Prompts judged in one message.
  private static let together = 16

  /// Judges `data.validation`; trains nothing. Randomness: the noise of the federation's own protector.
  package init(_ federation: Federation, _ data: TaskData) throws {
    var (choices, texts): ([(TaskExample, Int)], [(GenerationExample, String)]) = ([], [])
    for start in stride(from: 0, to: data.validation.count, by: Self.together) {
      let group = Array(data.validation[start..<min(start + Self.together, data.validation.count)])
      choices += try Self.chosen(group, federation.clients[0])
    }
    let writer = Writer(client: federation.inference(client: 0), data: data)
    for (number, item) in data.validation.enumerated() {
      guard case .text(let example, _) = item.content else { continue }
      texts.append((example, try writer.answer(item.prompt, number: number)))
    }
    let wanted = TaskMetric.allCases.filter { data.metrics.contains($0.rawValue) }
    if !choices.isEmpty {
      let score = TaskScore(wanted, predicted: choices.map(\.1), of: choices.map(\.0))
      values = Dictionary(uniqueKeysWithValues: score.values.map { ($0.key.rawValue, $0.value) })
      let right = Int(((values[TaskMetric.accuracy.rawValue] ?? 0) * Double(choices.count)).rounded())
      let bounds = clopperPearson(successes: right, trials: choices.count)
      interval = [bounds.lower, bounds.upper]
    } else {
      let metrics = GenerationMetric.allCases.filter { data.metrics.contains($0.rawValue) }
      let score = GenerationScore(metrics, generated: texts.map(\.1), of: texts.map(\.0))
      values = Dictionary(uniqueKeysWithValues: score.values.map { ($0.key.rawValue, $0.value) })
      let first = GenerationMetric(rawValue: data.metrics[0])
      let rows = texts.map { example, text in [first?.value(text, references: example.references) ?? 0] }
      interval = bootstrap(rows, seed: 1) { $0[0] / Double(rows.count) }?.ci95 ?? []
    }
  }

  /// The choice with the largest probability: of one token after the prompt alone, longer ones token by token, by their mean log-probability.
  private static func chosen(_ items: [TaskData.Item], _ client: TrainingClient) throws -> [(TaskExample, Int)] {
    let examples = items.compactMap { item -> (TaskExample, [Int32], [[Int32]])? in
      guard case .choice(let example, let choices) = item.content else { return nil }
      return (example, item.prompt, choices)
    }
    guard !examples.isEmpty else { return [] }
    if examples.allSatisfy({ $0.2.allSatisfy { $0.count == 1 } }) {
      let scores = try client.nextTokenScores(examples.map(\.1), options: examples.map { $0.2.map { $0[0] } })
      return zip(examples, scores).map { example, row in (example.0, row.indices.max { row[$0] < row[$1] }!) }
    }
    return try examples.map { example, prompt, choices in
      let means = try choices.map { choice -> Float in
        let texts = choice.indices.map { prompt + choice.prefix($0) }
        return try client.nextTokenScores(texts, options: choice.map { [$0] }).reduce(0) { $0 + $1[0] } / Float(choice.count)
      }
      return (example, means.indices.max { means[$0] < means[$1] }!)
    }
  }

  /// Writes answers through the split with every party's KV cache: one state each way a token.
  private struct Writer {
    let client: SplitClient
    let data: TaskData

    /// Greedy text up to the first line end behind a word. `number` names the sequence: its noise is drawn by it.
    func answer(_ prompt: [Int32], number: Int) throws -> String {
      var (written, line): ([Int32], String) = ([], "")
      _ = try client.generate(prompt, count: data.longestAnswer, sequence: Federation.firstJudged + UInt64(number)) { token in
        written.append(token)
        let text = data.tokenizer.decode(written).drop { $0.isWhitespace }
        line = String(text.prefix { !$0.isNewline })
        return line.count == text.count
      }
      return line
    }
  }
}
