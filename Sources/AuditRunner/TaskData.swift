package import Audit
import Diagnostics
import Fetching
import Foundation
import Kernels
import Llama
package import SplitLearning
package import Tasks
package import Tokenizers

/// A task's examples as tokens: multiple choice, or free text that is generated.
package struct TaskData: Sendable {
  package let train: [Item]
  package let validation: [Item]
  /// Names of what the task reports; the first is the one that intervals and tables are about.
  package let metrics: [String]
  /// Reads what the model generated.
  package let tokenizer: any Tokenizer

  /// SHA-256 of all examples as the model gets them.
  package var sha256: String {
    var bytes = Data()
    for item in train + validation {
      for tokens in [item.prompt, item.sequence.tokens] {
        ([Int32(tokens.count)] + tokens).withUnsafeBytes { bytes.append(contentsOf: $0) }
      }
    }
    return FileDigest.hex(of: bytes)
  }

  /// Names that a training plan may use.
  package static let names = SuperGLUETask.allCases.map(\.rawValue) + ["sentiment"] + GenerationTask.allCases.map(\.rawValue)

  /// Most tokens that are generated as an answer.
  package let longestAnswer: Int

  /// One example.
  package struct Item: Sendable {
    package enum Content: Sendable {
      case choice(TaskExample, choices: [[Int32]])
      case text(GenerationExample, answer: [Int32])
    }

    package let content: Content
    package let prompt: [Int32]

    package init(content: Content, prompt: [Int32]) { (self.content, self.prompt) = (content, prompt) }

    /// Tokens of the prompt with its longest answer; `generated` of them where the answer is generated.
    func longest(generated: Int) -> Int {
      switch content {
      case .choice(_, let choices): prompt.count + (choices.map(\.count).max() ?? 0)
      case .text(_, let answer): prompt.count + max(answer.count, generated)
      }
    }

    /// The text to learn: the answer's tokens count, the prompt's do not.
    package var sequence: TrainingSequence {
      let answer =
        switch content {
        case .choice(let example, let choices): choices[example.label]
        case .text(_, let answer): answer
        }
      return TrainingSequence(tokens: prompt + answer, labels: prompt.map { _ in ignoredLabel } + answer)
    }
  }

  /// Examples that are at hand.
  /// - Parameters:
  ///   - metrics: names of `TaskMetric`s for choices, of `GenerationMetric`s for texts; the first is the one that intervals are about.
  ///   - longestAnswer: most tokens that are generated as an answer.
  package init(train: [Item], validation: [Item], metrics: [String], tokenizer: any Tokenizer, longestAnswer: Int = 64) {
    (self.train, self.validation, self.metrics, self.tokenizer) = (train, validation, metrics, tokenizer)
    self.longestAnswer = longestAnswer
  }

  /// Reads the task's files and draws the examples that the plan limits it to; `seed` decides which.
  package init(_ plan: TrainingPlan.TaskPlan, seed: UInt64, tokenizer: any Tokenizer) throws {
    (self.tokenizer, longestAnswer) = (tokenizer, plan.longestAnswer)
    if let task = GenerationTask(rawValue: plan.name) {
      metrics = task.metrics.map(\.rawValue)
      let split = try GenerationSplit(task, at: plan.path, validation: 0.1, seed: 1)
      let (train, validation) = Self.drawn(split.train, split.validation, plan, seed)
      self.train = try train.map { try Self.item($0, tokenizer, plan) }
      self.validation = try validation.map { try Self.item($0, tokenizer, plan) }
      return
    }
    var (train, validation): ([TaskExample], [TaskExample])
    if plan.name == "sentiment" {
      let split = try TaskSplit(SentimentTask.examples(at: plan.path), validation: 0.2, seed: 1)
      (train, validation, metrics) = (split.train, split.validation, [TaskMetric.accuracy.rawValue])
    } else {
      let task = try SuperGLUETask.named(plan.name)
      train = try task.examples(at: plan.path + "/train.jsonl")
      validation = try task.examples(at: plan.path + "/val.jsonl")
      metrics = [TaskMetric.accuracy.rawValue] + task.metrics.filter { $0 != .accuracy }.map(\.rawValue)
    }
    (train, validation) = Self.drawn(train, validation, plan, seed)
    self.train = try train.map { try Self.item($0, tokenizer, plan) }
    self.validation = try validation.map { try Self.item($0, tokenizer, plan) }
  }

  /// The limits draw the same examples for every cell of a seed, and the same validation examples for every seed.
  private static func drawn<T>(_ train: [T], _ validation: [T], _ plan: TrainingPlan.TaskPlan, _ seed: UInt64) -> ([T], [T]) {
    var (train, validation) = (train, validation)
    var generator = CounterRandom(seed: seed, stream: "task/train").generator()
    train.shuffle(using: &generator)
    generator = CounterRandom(seed: 0, stream: "task/validation").generator()
    if let limit = plan.validation, validation.count > limit {
      validation.shuffle(using: &generator)
      validation.removeLast(validation.count - limit)
    }
    return (Array(train.prefix(plan.train ?? train.count)), validation)
  }

  private static func item(_ example: TaskExample, _ tokenizer: any Tokenizer, _ plan: TrainingPlan.TaskPlan) throws -> Item {
    let choices = example.choices.map { tokenizer.encode($0) }
    guard choices.allSatisfy({ !$0.isEmpty }) else {
      throw Fault(.invalidData, "an answer of example \(example.id) has no token", at: plan.path)
    }
    // The end, where the question stands.
    return Item(content: .choice(example, choices: choices), prompt: tokenizer.encode(example.prompt).suffix(plan.longestPrompt))
  }

  private static func item(_ example: GenerationExample, _ tokenizer: any Tokenizer, _ plan: TrainingPlan.TaskPlan) throws -> Item {
    // Text from a file must not speak the tokenizer's control language.
    var answer = tokenizer.encode(example.answer, parsingSpecial: false).prefix(plan.longestAnswer - 1)
    let prompt = tokenizer.encode(example.prompt, parsingSpecial: false)
    guard !answer.isEmpty, !prompt.isEmpty else {
      throw Fault(.invalidData, "prompt or answer of example \(example.id) has no token", at: plan.path)
    }
    answer += tokenizer.encode("\n", parsingSpecial: false)
    // A long text keeps its beginning and its end: three quarters and the last quarter, where the question stands.
    let (longest, head) = (plan.longestPrompt, plan.longestPrompt * 3 / 4)
    let cut = prompt.count <= longest ? prompt : prompt.prefix(head) + prompt.suffix(longest - head)
    return Item(content: .text(example, answer: Array(answer)), prompt: cut)
  }
}
