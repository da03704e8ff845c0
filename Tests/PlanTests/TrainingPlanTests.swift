import Audit
import Diagnostics
import Foundation
import Llama
import TestSupport
import Testing

@Suite struct TrainingPlanTests {
  private let known = KnownNames(
    checkpoints: ["tiny"], datasets: [:], defenses: ["none": KnownMethod(), "gaussian": KnownMethod(takesNoise: true)], attacks: [:],
    metrics: [])
  private let text = """
    train: demo
    model: {checkpoint: tiny, partition: {input: 1, output: 1}}
    task: {name: rte, path: data, train: 10}
    adapters: {rank: 4, targets: [q_proj, down_proj]}
    optimizer: {learning_rate: 1.0e-3, schedule: cosine}
    steps: 5
    defense: {name: gaussian}
    federation: {clients: 3, mode: server-hierarchical, local_steps: 4, alpha: 0.5}
    seeds: [1, 2]
    sweep:
      model.partition.input: [1, 2]
      defense.relative: [0, 0.9]
    """

  private func plan(_ text: String, set: [String] = []) throws -> TrainingPlan {
    let scratch = try Scratch()
    let path = scratch.file("plan.yaml")
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    return try TrainingPlan(contentsOf: path, set: set, known: known, tasks: ["rte", "cb"])
  }

  @Test func readsEveryKeyAndSweeps() throws {
    let plan = try plan(text)
    #expect(plan.adapters == AdapterSettings(targets: [.query, .down], rank: 4, alpha: 8))
    #expect(plan.schedule == .cosine && plan.learningRate == 1e-3 && plan.clip == 1 && plan.batch == 4 && plan.precision == .f32)
    #expect(plan.federation == .init(mode: "server-hierarchical", clients: 3, localSteps: 4, alpha: 0.5))
    let cells = try plan.cells(tasks: ["rte", "cb"])
    #expect(cells.count == 8)
    #expect(cells.first?.id == "p1-q1-relative0-seed1" && cells.last?.id == "p2-q1-relative0.9-seed2")
  }

  /// Whatever is swept names its cells, as in an audit; cells of one name and different settings are refused, and so are too many.
  @Test func everySweptSettingMakesCells() throws {
    func ids(_ sweep: String, seeds: String = "[1]") throws -> [String] {
      let text = text.replacingOccurrences(
        of: "  model.partition.input: [1, 2]\n  defense.relative: [0, 0.9]", with: sweep)
      return try plan(text.replacingOccurrences(of: "seeds: [1, 2]", with: "seeds: \(seeds)")).cells(tasks: ["rte", "cb"]).map(\.id)
    }
    #expect(
      try ids("  defense.clip: [1, 2]\n  defense.sigma: [3]") == ["p1-q1-sigma3-clip1-seed1", "p1-q1-sigma3-clip2-seed1"])
    #expect(try ids("  model.partition.output: [1, 2]\n  defense.relative: [1]") == ["p1-q1-relative1-seed1", "p1-q2-relative1-seed1"])
    let many = "[" + (1...4000).map(String.init).joined(separator: ", ") + "]"
    #expect(throws: Fault.self) { try ids("  defense.relative: [1, 2, 3]", seeds: many) }
  }

  @Test func lengthsOfATaskMayBeLimited() throws {
    #expect(try plan(text).task.longestPrompt == 448 && plan(text).task.longestAnswer == 64)
    let short = try plan(text, set: ["task.max_prompt_tokens=100", "task.max_answer_tokens=20"]).task
    #expect(short.longestPrompt == 100 && short.longestAnswer == 20)
    #expect(throws: Fault.self) { try plan(text, set: ["task.max_prompt_tokens=3"]) }
    #expect(throws: Fault.self) { try plan(text, set: ["task.max_answer_tokens=1"]) }
  }

  @Test func flagsBeatTheFile() throws {
    let changed = try plan(text, set: ["steps=7", "defense.relative=2.3", "seeds=3"])
    #expect(changed.steps == 7)
    #expect(try changed.cells(tasks: ["rte", "cb"]).map(\.id) == ["p1-q1-relative2.3-seed3", "p2-q1-relative2.3-seed3"])
    #expect(try plan(text).sha256 != changed.sha256)
    #expect(try plan(text).sha256 == plan(text).sha256)
  }

  @Test(arguments: [
    ("steps: 5", "steps: 0", "steps"), ("name: rte", "name: rtee", "did you mean \"rte\""), ("rank: 4", "rnk: 4", "unknown key \"rnk\""),
    ("q_proj", "q_prj", "q_proj"), ("schedule: cosine", "schedule: cosin", "cosine"), ("checkpoint: tiny", "checkpoint: tinny", "tiny"),
    ("train: demo", "train: ../x", "names a folder"), ("path: data, ", "", "task.path"),
  ]) func mistakesAreNamedWithTheirLine(old: String, new: String, words: String) throws {
    do {
      _ = try plan(text.replacingOccurrences(of: old, with: new))
      Issue.record("nothing was thrown for \(new)")
    } catch let fault as Fault {
      #expect(fault.code == .invalidData && fault.description.contains(words), "\(fault)")
      #expect(fault.description.contains("plan.yaml:"), "\(fault)")
    }
  }
}
