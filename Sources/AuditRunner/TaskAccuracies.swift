import Audit
import Fetching
import Foundation
import Kernels
import Reports

extension TaskReference {
  /// The task accuracies where they are in a record already; nil where they are to be measured. Throws `Fault` 65 or 66 for a file that is no record.
  func recorded() throws -> [TaskAccuracy]? {
    guard case .record(let path) = source else { return nil }
    return try TrainingRecord(json: AtomicFile.read(URL(filePath: path), limit: 1 << 28), at: path).accuracies(source: path)
  }

  /// The task accuracies of the training plan, run in `directory`/task, where it resumes; none where a record has them.
  func measured(
    in directory: URL, store: ArtifactStore, compute: Compute, _ report: (AuditRunner.Progress) throws -> Void
  ) throws -> [TaskAccuracy] {
    guard case .plan(let path, let set) = source else { return [] }
    let training = try TrainingPlan(contentsOf: path, set: set, known: Catalogs.names(in: store), tasks: TaskData.names)
    let record = try TrainingSuite.run(training, in: directory.appending(path: "task"), store: store, compute: compute) {
      number, cells, id, fraction, step, loss in
      try report(.init(cell: number, cells: cells, stage: "fine-tuning \(id), step \(step)", fraction: fraction))
    }
    return record.accuracies(source: path)
  }
}
