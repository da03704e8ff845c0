import ArgumentParser
import Audit
import AuditRunner
import Datasets
import Diagnostics
import Fetching
import Foundation
import Kernels

/// Where names are looked up and how wide products run.
struct WorkspaceOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Folder with checkpoints/, attacks/ and notebooks-data/.", valueName: "folder"))
  var root: String = FileManager.default.currentDirectoryPath

  @Option(help: "Threads for products and loops.")
  var threads: Int = Compute.processors

  var store: ArtifactStore {
    ArtifactStore(root: URL(filePath: root), datasets: DatasetCatalog.manifests + TaskDataCatalog.manifests)
  }
  var compute: Compute { Compute(threads: min(max(1, threads), 256)) }

  mutating func validate() throws {
    guard (1...256).contains(threads) else { throw ValidationError("--threads must be 1 to 256, not \(threads)") }
  }

  /// Reads a plan and applies `--set` and `--limit`.
  func plan(_ path: String, set: [String] = [], limit: Int? = nil) throws -> AuditPlan {
    var assignments = set
    if let limit { assignments.append("dataset.limit=\(limit)") }
    return try AuditPlan(contentsOf: path, known: Catalogs.names(in: store)).overriding(assignments)
  }
}

/// Data on stdout, for people or for programs.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  case text, json
}

enum Output {
  /// One JSON document, keys sorted, and nothing else.
  static func json(_ value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    try write(String(decoding: encoder.encode(value), as: UTF8.self) + "\n")
  }

  /// Writes to stdout; a closed or full stdout is a fault.
  static func write(_ text: String) throws {
    do {
      try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    } catch {
      throw Fault(.inputOutput, "cannot write to stdout: \(error.localizedDescription)")
    }
  }
}
