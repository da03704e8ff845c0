import Diagnostics
package import Fetching

/// Every public data set. To add one: write its file beside `StateOfTheUnion.swift` and add its line here.
package enum DatasetCatalog {
  package static let all: [TextDataset] = [
    .stateOfTheUnion,
    .chitchat,
    .proseAndDialogue,
    .presidioPII,
    .presidioTemplates,
    .canaries,
  ]

  /// What `fetch` knows, each once: a data set may be made of others' packages.
  package static var manifests: [ArtifactManifest] {
    var seen: Set<String> = []
    return all.flatMap(\.manifests).filter { seen.insert($0.name).inserted }
  }

  /// Data set name → names of its splits, for checking plans.
  package static var splits: [String: [String]] {
    Dictionary(all.map { ($0.name, SourceSplit.allCases.map(\.rawValue)) }) { first, _ in first }
  }

  /// The data set by name. Throws `Fault` 65 with the nearest name for an unknown one.
  package static func dataset(named name: String) throws -> TextDataset {
    guard let found = all.first(where: { $0.name == name }) else {
      throw Fault(.invalidData, "unknown data set \"\(name)\"", hint: nameHint(name, among: all.map(\.name)))
    }
    return found
  }
}
