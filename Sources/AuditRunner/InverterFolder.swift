import Audit
import Diagnostics
import Fetching
import Foundation

extension InverterStore {
  /// `checkpoints/inverters` of the project, for the weights of `loaded`; notices go to stderr. Nil where the attacker of `plan` knows a victim's
  /// fine-tuned weights: the store's key names the checkpoint, which does not tell those apart.
  init?(_ loaded: LoadedModel, in store: ArtifactStore, for plan: AuditPlan) {
    guard plan.victim == nil || plan.threatModel.knowledge < .k2 else { return nil }
    self.init(
      folder: store.root.appending(path: "checkpoints/inverters"), checkpointSHA256: loaded.description.sha256,
      tokenizerSHA256: loaded.description.tokenizerSHA256,
      notice: { try? FileHandle.standardError.write(contentsOf: Data((escapingControls($0) + "\n").utf8)) })
  }
}
