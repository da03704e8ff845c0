import Audit
import Diagnostics
import Fetching
import Foundation

extension InverterStore {
  /// `checkpoints/inverters` of the project, for the weights that the attacker of `plan` knows: those of `loaded`, or the victim's fine-tuned ones, which
  /// must be on disk. Notices go to stderr. Throws where the victim's adapters cannot be read.
  init(_ loaded: LoadedModel, in store: ArtifactStore, for plan: AuditPlan) throws {
    let adapters = plan.threatModel.knowledge < .k2 ? nil : try Victim.adapterDigest(plan, loaded: loaded, store: store)
    self.init(
      folder: store.root.appending(path: "checkpoints/inverters"),
      weights: loaded.description.sha256 + (adapters.map { " fine-tuned \($0)" } ?? ""),
      tokenizerSHA256: loaded.description.tokenizerSHA256,
      notice: { try? FileHandle.standardError.write(contentsOf: Data((escapingControls($0) + "\n").utf8)) })
  }
}
