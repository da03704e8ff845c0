package import Audit
import Diagnostics
package import Foundation
import Reports

/// What one finished cell leaves in `cells/<cell>/cell.json`: the record is put together from these, and a run that was stopped goes on after
/// the last of them.
package struct CellFile: Codable, Sendable {
  package var cell: String
  /// Plan, weights, data, version and commit that made it: a cell of another origin is computed again.
  package var origin: [String: String]
  package var results: [CellResult]
  package var samples: [SampleRecord]
  package var utility: [UtilityResult]
  package var timings: [String: Double]
  package var reference: ReferenceResult?
  /// Only in the first cell of a partition.
  package var plantedLeak: PlantedLeakControl?
  package var shuffled: [ShuffledControl]
  package var failures: [AttackFailure]
  package var inference: [InferenceResult]
  package var warnings: [String]

  package static func url(_ cell: String, in directory: URL) -> URL { directory.appending(path: "cells/\(cell)/cell.json") }

  /// The finished cell, or nil if there is none of this origin; a cell in which an attack failed is computed again,
  /// unless it said that it does not apply.
  package static func read(_ cell: String, in directory: URL, origin: [String: String]) -> CellFile? {
    guard let data = try? AtomicFile.read(url(cell, in: directory), limit: 1 << 28) else { return nil }
    guard let file = try? JSONDecoder().decode(CellFile.self, from: data), file.cell == cell, file.origin == origin else { return nil }
    return file.failures.allSatisfy(\.isNotApplicable) ? file : nil
  }

  package func write(in directory: URL) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    try AtomicFile.write(try encoder.encode(self), to: Self.url(cell, in: directory), isPrivate: true)
  }
}
