import Audit
import Diagnostics
import Fetching
import Foundation

extension InverterStore {
  /// `checkpoints/inverters` of the project, for the weights of `loaded`; notices go to stderr.
  init(_ loaded: LoadedModel, in store: ArtifactStore) {
    self.init(
      folder: store.root.appending(path: "checkpoints/inverters"), checkpointSHA256: loaded.description.sha256,
      tokenizerSHA256: loaded.description.tokenizerSHA256,
      notice: { FileHandle.standardError.write(Data((escapingControls($0) + "\n").utf8)) })
  }
}
