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

  /// For a plan: hides `folders` (the run's, or the view's), all other runs and fetched data sets under notebooks-data/, the user's own text, and the
  /// weights of clients that fine-tuned with what was learned from them: a program is handed the public checkpoint.
  package init(_ plan: AuditPlan, store: ArtifactStore, hiding folders: [String]) throws {
    checkpoint = try LoadedModel.path(plan.model.checkpoint, in: store)
    hidden = folders + ["notebooks-data", "checkpoints/victims", "checkpoints/inverters"].map { store.root.appending(path: $0).path }
    if case .file(let path, _) = plan.dataset.source { hidden.append(path) }
  }
}
