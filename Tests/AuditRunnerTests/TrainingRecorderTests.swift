import Audit
import AuditRunner
import Checkpoints
import Foundation
import HDF5
import Kernels
import Llama
import PrivateText
import SplitLearning
import Tasks
import TestSupport
import Testing

/// Every channel of a training run, as a curious server sees it, against what a second observer saw of the same run.
@Suite(.serialized) struct TrainingRecorderTests {
  /// A table as it must be in the file.
  private struct Table: Codable {
    var shape: [Int]
    var values: [Float]

    mutating func append(_ row: [Float]) {
      shape[0] += 1
      values += row
    }
  }

  /// What h5py is to find: see Tests/Fixtures/training_view.py.
  private struct Expected: Codable {
    var floats: [String: Table] = [:]
    var integers: [String: [Int]] = ["sends/step": [], "sends/client": [], "sends/sequence": [], "samples/offsets": [0]]
    var texts: [String] = []
    var tokens: [[Int32]] = []

    mutating func append(_ row: [Float], to path: String) { floats[path, default: Table(shape: [0, row.count], values: [])].append(row) }
  }

  private func plan() throws -> RecordPlan {
    let scratch = try Scratch()
    let path = scratch.file("plan.yaml")
    let text = """
      train: demo
      model: {checkpoint: tiny, partition: {input: 1, output: 1}}
      task: {name: coqa, path: data}
      steps: 3
      record:
        steps: 2
        channels: [input_cut/hidden_states, output_cut/hidden_states, gradients/output_cut, gradients/input_cut, gradients/adapters, rounds/adapters]
      """
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    let known = KnownNames(checkpoints: ["tiny"], datasets: [:], defenses: ["none": KnownMethod()], attacks: [:], metrics: [])
    return try #require(try TrainingPlan(contentsOf: path, known: known, tasks: ["coqa"]).record)
  }

  private func item(_ number: Int) -> TaskData.Item {
    let tokenizer = ByteTokenizer()
    let example = GenerationExample(
      id: "\(number)", prompt: "Which? " + String(repeating: "ü", count: number), references: [" the \(number)th"])
    return TaskData.Item(
      content: .text(example, answer: tokenizer.encode(example.answer + "\n", parsingSpecial: false)),
      prompt: tokenizer.encode(example.prompt, parsingSpecial: false))
  }

  /// Two clients, each with a copy of the middle adapters, three steps of which the first two are recorded into `folder`.
  private func record(into folder: String) throws -> Expected {
    let model = try LlamaModel(Checkpoint.open(at: Fixture.path("llama/tiny-mistral")), compute: Compute(threads: 1))
    let points = PartitionPoints(input: 1, output: 1)
    let blueprint = TrainingBlueprint(
      model: model, adapters: AdapterSettings(targets: [.query, .down], rank: 2, alpha: 4), clip: 1, seed: 3)
    let servers = [blueprint.server([points]), blueprint.server([points])]
    let clients = try servers.enumerated().map { try blueprint.client(points, of: $1, number: $0) }
    let federation = Federation(.serverHierarchical(localSteps: 1), clients: clients, servers: servers, clip: 1)
    let identity = ViewIdentity(
      runID: "run-9", planSHA256: "91", checkpointSHA256: "c0", tokenizerSHA256: "70", created: "2026-01-02T03:04:05Z", fedseaVersion: "1")
    let recorder = try TrainingRecorder(
      plan(), folder: folder, identity: identity, partition: points, width: model.configuration.hiddenSize,
      noise: NoiseStatement(defense: "gaussian", law: .gaussian, sigma: 0.5))
    recorder.watch(federation)
    var expected = Expected()
    var step = 0
    for server in servers {
      let filed = try #require(server.observer)
      server.observer = { event in
        if step < 2 { see(event, step, &expected) }
        try filed(event)
      }
    }
    for number in 0..<3 {
      step = number
      let batches = (0..<2).map { client in (0..<2).map { item(10 * number + 3 * client + $0) } }
      recorder.expect(batches, step: step)
      if step < 2 {
        expected.texts += batches.flatMap { $0 }.map { item in
          guard case .text(let example, _) = item.content else { return "" }
          return example.prompt + example.answer
        }
        expected.tokens += batches.flatMap { $0 }.map(\.sequence.tokens)
      }
      _ = try federation.step(batches.map { $0.map(\.sequence) }, rate: 1e-3)
    }
    try recorder.close()
    return expected
  }

  private func see(_ event: TrainingObservation, _ step: Int, _ expected: inout Expected) {
    func rows(_ matrix: Matrix, _ channel: Channel) {
      for r in 0..<matrix.rows { expected.append(Array(matrix[row: r]), to: channel.rawValue) }
    }
    func tensors(_ adapters: BlockAdapters, _ block: Int, _ path: String) {
      for name in adapters.names { expected.append(adapters[name], to: "\(path)/block_0\(block)/\(name.text)") }
    }
    switch event {
    case .states(_, let sent, let returned):
      rows(sent.states, .inputHiddenStates)
      rows(returned, .outputHiddenStates)
    case .gradients(let client, let sent, let returned):
      rows(sent.states, .outputGradients)
      rows(returned, .inputGradients)
      for (sequence, length) in zip(sent.sequences, sent.lengths) {
        expected.integers["sends/step"]!.append(step)
        expected.integers["sends/client"]!.append(client)
        expected.integers["sends/sequence"]!.append(Int(sequence))
        expected.integers["samples/offsets"]!.append(expected.integers["samples/offsets"]!.last! + length)
      }
    case .update(let range, let gradients): for (block, values) in zip(range, gradients) { tensors(values, block, "gradients/adapters") }
    case .round(let client, let blocks): for (block, values) in blocks { tensors(values, block, "rounds/adapters/client_\(client)") }
    }
  }

  @Test func whatIsRecordedIsWhatPassed() throws {
    let scratch = try Scratch()
    let expected = try record(into: scratch.path)
    // 2 clients × 2 steps; 1 middle block, blocks 0 and 2 of the clients; A and B of two matrices; four channels.
    #expect(expected.integers["sends/step"] == [0, 0, 0, 0, 1, 1, 1, 1] && expected.integers["sends/client"] == [0, 0, 1, 1, 0, 0, 1, 1])
    #expect(expected.floats.count == 4 + 4 + 2 * 2 * 4)
    #expect(expected.floats["gradients/adapters/block_01/q_proj.lora_B"]?.shape[0] == 4)
    #expect(expected.floats["rounds/adapters/client_1/block_02/down_proj.lora_A"]?.shape[0] == 2)

    let file = try HDF5File.open(scratch.file("view.h5"))
    for (path, table) in expected.floats {
      let dataset = try file.root.dataset(path)
      #expect(dataset.shape == table.shape, "\(path)")
      #expect(try dataset.floats() == table.values, "\(path)")
    }
    for (path, values) in expected.integers { #expect(try file.root.dataset(path).integers() == values.map(Int64.init), "\(path)") }
    try file.close()

    let view = try ViewFile.read(scratch.file("view.h5"))
    #expect(Set(view.observations.keys) == Set(RecordPlan.recordable))
    #expect(view.observations[.inputHiddenStates]?.noise.sigma == 0.5 && view.observations[.outputGradients]?.noise == NoiseStatement.none)
    #expect(view.identity.runID == "run-9" && view.documents == 8)

    let truth = try TruthFile.read(scratch.file("truth.h5"))
    #expect(truth.runID == "run-9" && truth.documents.map(\.text) == expected.texts && truth.documents.map(\.tokens) == expected.tokens)
    #expect(truth.documents.map(\.id) == expected.integers["sends/sequence"]!.map(String.init))
  }

  @Test(.enabled(if: Python.withH5py != nil, "set FEDSEA_PYTHON to a Python with h5py")) func `h5py reads the same`() throws {
    let scratch = try Scratch()
    let expected = try record(into: scratch.path)
    try JSONEncoder().encode(expected).write(to: URL(filePath: scratch.file("expected.json")))
    let (status, output) = try Python.check("training_view.py", [scratch.path])
    #expect(status == 0 && output.contains("24 tables of floats"), "\(output)")
  }
}
