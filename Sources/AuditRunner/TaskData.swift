package import Audit
import Diagnostics
import Foundation
import Kernels
import Llama
package import SplitLearning
package import Tasks
package import Tokenizers

/// A task's examples as tokens.
package struct TaskData: Sendable {
  package let train: [TokenisedExample]
  package let validation: [TokenisedExample]
  package let metrics: [TaskMetric]

  /// Names that a training plan may use.
  package static let names = SuperGLUETask.allCases.map(\.rawValue) + ["sentiment"]

  /// Prompts longer than this keep their end, where the question stands.
  package static let longestPrompt = 448

  package struct TokenisedExample: Sendable {
    package let example: TaskExample
    package let prompt: [Int32]
    package let choices: [[Int32]]

    /// The text to learn: the answer's tokens count, the prompt's do not.
    package var sequence: TrainingSequence {
      let answer = choices[example.label]
      return TrainingSequence(tokens: prompt + answer, labels: prompt.map { _ in ignoredLabel } + answer)
    }
  }

  /// Reads the task's files and draws the examples that the plan limits it to; `seed` decides which.
  package init(_ plan: TrainingPlan.TaskPlan, seed: UInt64, tokenizer: any Tokenizer) throws {
    var (train, validation): ([TaskExample], [TaskExample])
    if plan.name == "sentiment" {
      let split = try TaskSplit(SentimentTask.examples(at: plan.path), validation: 0.2, seed: 1)
      (train, validation, metrics) = (split.train, split.validation, [.accuracy])
    } else {
      let task = try SuperGLUETask.named(plan.name)
      train = try task.examples(at: plan.path + "/train.jsonl")
      validation = try task.examples(at: plan.path + "/val.jsonl")
      metrics = task.metrics
    }
    // The limits draw the same examples for every cell of a seed, and the same validation examples for every seed.
    var generator = CounterRandom(seed: seed, stream: "task/train").generator()
    train.shuffle(using: &generator)
    generator = CounterRandom(seed: 0, stream: "task/validation").generator()
    if let limit = plan.validation, validation.count > limit {
      validation.shuffle(using: &generator)
      validation.removeLast(validation.count - limit)
    }
    func tokenised(_ examples: [TaskExample]) throws -> [TokenisedExample] {
      try examples.map { example in
        let choices = example.choices.map { tokenizer.encode($0) }
        guard choices.allSatisfy({ !$0.isEmpty }) else {
          throw Fault(.invalidData, "an answer of example \(example.id) has no token", at: plan.path)
        }
        return TokenisedExample(example: example, prompt: tokenizer.encode(example.prompt).suffix(Self.longestPrompt), choices: choices)
      }
    }
    self.train = try tokenised(Array(train.prefix(plan.train ?? train.count)))
    self.validation = try tokenised(validation)
  }
}
