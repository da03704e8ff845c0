import AuditRunner
import Checkpoints
import Kernels
import Llama
import SplitLearning
import Tasks
import TestSupport
import Testing

/// Judging by generation: a tiny model learns two answers by heart, and is judged through the split's KV caches.
@Suite(.serialized) struct TaskJudgementTests {
  private let tokenizer = ByteTokenizer()

  private func item(_ id: String, _ prompt: String, _ answer: String) -> TaskData.Item {
    let example = GenerationExample(id: id, prompt: prompt, references: [answer])
    return TaskData.Item(
      content: .text(example, answer: tokenizer.encode(answer + "\n", parsingSpecial: false)),
      prompt: tokenizer.encode(prompt, parsingSpecial: false))
  }

  private func data(longestAnswer: Int = 64) -> TaskData {
    let learned = [item("a", "Who? A:", " red fox"), item("b", "And who? A:", " blue owl")]
    // The third is judged against an answer that was not learned.
    return TaskData(
      train: learned, validation: learned + [item("c", "Who? A:", " green cat")], metrics: ["em", "f1"], tokenizer: tokenizer,
      longestAnswer: longestAnswer)
  }

  private func federation() throws -> Federation {
    let model = try LlamaModel(Checkpoint.open(at: Fixture.path("llama/tiny-mistral")), compute: Compute(threads: 1))
    let points = PartitionPoints(input: 1, output: 1)
    let blueprint = TrainingBlueprint(
      model: model, adapters: AdapterSettings(targets: AdapterTarget.allCases, rank: 8, alpha: 16), clip: 1, seed: 3)
    let server = blueprint.server([points])
    return Federation(.sequential, clients: [try blueprint.client(points, of: server)], servers: [server], clip: 1)
  }

  @Test func whatWasLearnedByHeartIsGenerated() throws {
    let (federation, data) = (try federation(), data())
    let before = try TaskJudgement(federation, data)
    #expect(before.values == ["em": 0, "f1": 0] && before.interval == [0, 0])
    var loss = Double.infinity
    for _ in 0..<150 where loss > 0.01 { loss = try federation.step([data.train.map(\.sequence)], rate: 2e-2)[0] }
    #expect(loss <= 0.01, "the model did not learn: \(loss)")

    let after = try TaskJudgement(federation, data)
    #expect(after.values["em"] == 2.0 / 3 && after.values["f1"] == 2.0 / 3)
    #expect(after.interval.count == 2 && after.interval[0] < 2.0 / 3 && after.interval[1] > 2.0 / 3)
    // Judging draws nothing and trains nothing.
    #expect(try TaskJudgement(federation, data).values == after.values)

    // " red" of " red fox", " blu" of " blue owl": one word right of one, in a text of two.
    let cut = try TaskJudgement(federation, self.data(longestAnswer: 4))
    #expect(cut.values["em"] == 0)
    #expect(abs((cut.values["f1"] ?? 0) - (2.0 / 3) / 3) < 1e-12, "\(cut.values)")
  }
}
