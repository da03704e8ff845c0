package import Audit
import Diagnostics
package import Fetching
package import Foundation
package import Kernels
import Llama
import Reports
import SplitLearning

/// Runs every cell of a training plan and keeps training.json; a run that was stopped goes on where it was.
package enum TrainingSuite {
  /// - Parameters:
  ///   - directory: made if it is not there.
  ///   - announce: told once a cell what it will record, if it records.
  ///   - progress: cell, cells, its name, the fraction of the suite that is done, step and loss; may throw to stop.
  package static func run(
    _ plan: TrainingPlan, in directory: URL, store: ArtifactStore, compute: Compute, announce: (String) -> Void = { _ in },
    progress: (Int, Int, String, Double, Int, Double) throws -> Void
  ) throws -> TrainingRecord {
    let cells = try plan.cells(tasks: TaskData.names)
    let runID = String(plan.sha256.prefix(12))
    try AuditRunner.makeFolder(directory)
    removeLeftovers(in: directory)
    var record =
      try earlier(directory, runID, cells)
      ?? TrainingRecord(
        runID: runID, commit: Provenance.commit(root: store.root), host: Provenance.host(compute).cpu,
        checkpoint: plan.model.checkpoint, plan: plan.written)
    // Asked once: whoever commits while a run goes on does not change what runs.
    let commit = Provenance.commit(root: store.root)
    let loaded = try LoadedModel(plan.model.checkpoint, in: store, precision: plan.precision, compute: compute)
    for (number, cell) in cells.enumerated() {
      let known = record.cells.first { $0.id == cell.id }
      if let known, known.origin == nil { continue }
      let data = try TaskData(cell.plan.task, seed: UInt64(cell.seed), tokenizer: loaded.tokenizer)
      if let known {
        guard known.origin == TrainingRunner.origin(cell, loaded: loaded, data: data) else {
          throw Fault(
            .invalidData, "\(cell.id) was trained from other weights or other examples",
            at: directory.appending(path: "training.json").path,
            hint: "choose another folder with --output")
        }
        continue
      }
      let runner = try TrainingRunner(cell, loaded: loaded, data: data)
      let checkpoint = directory.appending(path: "checkpoint-\(cell.id).safetensors").path
      let recorder = try cell.plan.record.map { plan in
        announce("recording      about \(runner.predictedBytes(plan).formatted(.byteCount(style: .file))) for \(cell.id)")
        return try runner.recorder(plan, folder: directory.appending(path: "views/\(cell.id)").path, runID: runID)
      }
      var result = try runner.run(id: cell.id, checkpoint: checkpoint, recorder: recorder) { fraction, step, loss in
        try progress(number + 1, cells.count, cell.id, (Double(number) + fraction) / Double(cells.count), step, loss)
      }
      try AdapterFile.write(runner.adapters, cell.plan.adapters, to: directory.appending(path: "adapters/\(cell.id)").path)
      if commit != record.commit { result.commit = commit }
      result.origin = runner.origin
      record.cells.append(result)
      try AtomicFile.write(try record.encoded(), to: directory.appending(path: "training.json"))
    }
    return record
  }

  /// Checkpoints that a killed run had begun to write.
  private static func removeLeftovers(in directory: URL) {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
    where name.hasPrefix("checkpoint-") && name.contains(".safetensors.partial-") {
      try? FileManager.default.removeItem(at: directory.appending(path: name))
    }
  }

  /// The record of an earlier, unfinished run of the same plan.
  private static func earlier(_ directory: URL, _ runID: String, _ cells: [TrainingPlan.Cell]) throws -> TrainingRecord? {
    let file = directory.appending(path: "training.json")
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    let record = try TrainingRecord(json: AtomicFile.read(file, limit: 1 << 28), at: file.path)
    let ids = Set(cells.map(\.id))
    guard record.runID == runID, record.cells.allSatisfy({ ids.contains($0.id) }) else {
      throw Fault(.invalidData, "the file is a record of another plan", at: file.path, hint: "choose another folder with --output")
    }
    return record
  }
}

extension TrainingRecord {
  /// Every cell's task accuracy, for an audit.
  func accuracies(source: String) -> [TaskAccuracy] {
    var task = ""
    if case .map(let map) = plan, case .map(let inner)? = map["task"] { task = inner["name"]?.label ?? "" }
    return cells.compactMap { cell in
      guard let before = cell.before[cell.metric], let after = cell.after[cell.metric] else { return nil }
      return TaskAccuracy(
        task: task, metric: cell.metric, partitionInput: cell.partitionInput, partitionOutput: cell.partitionOutput,
        relative: cell.defense["defense.relative"]?.number, seed: cell.seed, before: before, after: after, ci95: cell.interval,
        examples: cell.validationExamples, source: "\(source), run \(runID), commit \((cell.commit ?? commit).prefix(12))")
    }
  }
}
