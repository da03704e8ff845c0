package import Audit
package import Fetching
import Foundation
import Diagnostics

/// What an external attack may use beside the view, and what must be out of its sight.
package struct PublicMaterial: Sendable {
  /// The checkpoint's file or folder.
  package var checkpoint: String
  /// Folders and files that hold private text: hidden from external programs where the system can hide them.
  package var hidden: [String]

  package init(checkpoint: String, hidden: [String]) { (self.checkpoint, self.hidden) = (checkpoint, hidden) }

  /// For a plan: hides `folders` (the run's, or the view's), what lies around them with the same texts, all other runs and fetched data sets under notebooks-data/, the user's own text, and the
  /// weights of clients that fine-tuned with what was learned from them: a program is handed the public checkpoint.
  package init(_ plan: AuditPlan, store: ArtifactStore, hiding folders: [String]) throws {
    checkpoint = try LoadedModel.path(plan.model.checkpoint, in: store)
    hidden =
      folders + folders.flatMap(Self.neighbours)
      + ["notebooks-data", "checkpoints/victims", "checkpoints/inverters"].map { store.root.appending(path: $0).path }
    if case .file(let path, _) = plan.dataset.source { hidden.append(path) }
  }

  /// Files that hold private text, and folders that have such files, beside `folder` and beside the two folders above it: a view lies in the folder of its
  /// cell, that of the cell in the run's or the sweep's, and other cells have the same texts.
  package static func neighbours(of folder: String) -> [String] {
    var out: [String] = []
    var place = URL(filePath: folder).standardizedFileURL.resolvingSymlinksInPath()
    for _ in 0..<3 {
      let above = place.deletingLastPathComponent()
      guard above.path != place.path else { break }
      place = above
      for name in ((try? FileManager.default.contentsOfDirectory(atPath: place.path)) ?? []).sorted() {
        let path = place.appending(path: name).path
        let isPrivate =
          Isolation.privateNames.contains(name)
          || Isolation.privateNames.contains { FileManager.default.fileExists(atPath: "\(path)/\($0)") }
        if isPrivate { out.append(path) }
      }
    }
    return out
  }
}
