import Diagnostics
package import Fetching

/// A public data set of labelled examples: what training tasks read, no passages for audits.
package struct TaskDataset: Sendable {
  package var manifest: ArtifactManifest
  /// One sentence for `list`.
  package var summary: String
  /// The task whose `path` its fetched file or folder is.
  package var task: String

  package var name: String { manifest.name }

  package init(manifest: ArtifactManifest, summary: String, task: String) {
    (self.manifest, self.summary, self.task) = (manifest, summary, task)
  }
}

/// Every public data set of a training task. Audit plans do not accept them as `dataset.name`: that list is `DatasetCatalog`.
package enum TaskDataCatalog {
  package static let all: [TaskDataset] = [
    .vaderSentiment,
    .aclsum,
  ]

  package static var manifests: [ArtifactManifest] { all.map(\.manifest) }

  /// The data set by name. Throws `Fault` 65 with the nearest name for an unknown one.
  package static func dataset(named name: String) throws -> TaskDataset {
    guard let found = all.first(where: { $0.name == name }) else {
      throw Fault(.invalidData, "unknown task data \"\(name)\"", hint: nameHint(name, among: all.map(\.name)))
    }
    return found
  }
}
