import Llama
import Kernels
import SplitLearning
import ArgumentParser
import Attacks
import Audit
import AuditRunner
import Diagnostics
import Checkpoints
import Foundation

/// `attack VIEW --plan PLAN`: attacks a dump offline. It opens view.h5 and public data only, never truth.h5.
struct AttackCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attack", abstract: "Attacks a dumped view and writes guesses.h5 for every attack of the plan.")

  @Argument(help: "view.h5", completion: .file(extensions: ["h5"]))
  var view: String

  @Option(help: "The plan whose model, public text and attacks are used.", completion: .file(extensions: ["yaml", "yml"]))
  var plan: String

  @Option(help: ArgumentHelp("Override a value of the plan.", valueName: "key=value"))
  var set: [String] = []

  @Option(help: ArgumentHelp("Folder for guesses-<attack>.h5; by default the view's.", valueName: "folder"))
  var output: String?

  @OptionGroup var workspace: WorkspaceOptions

  func run() throws {
    let seen = try ViewFile.read(view)
    let plan = try workspace.plan(plan, set: set)
    let loaded = try LoadedModel(plan.model.checkpoint, in: workspace.store, compute: workspace.compute)
    try Self.check(seen, against: loaded, path: view)
    let means = try AttackerPreparation.means(plan, loaded: loaded, store: workspace.store)
    let folder = output ?? URL(filePath: view).deletingLastPathComponent().path
    let interruption = Interruption()
    for entry in plan.attacks {
      let line = ProgressLine()
      let attack = try AttackCatalog.make(entry.name, settings: entry.settings)
      let found = try attack.reconstruct(seen, with: means) { part in
        try interruption.check()
        line.show(entry.label, fraction: part)
      }
      line.clear()
      let path = "\(folder)/guesses-\(entry.label).h5"
      try GuessesFile(runID: seen.identity.runID, attack: entry.label, offsets: seen.offsets, reconstruction: found).write(to: path)
      try Output.write(path + "\n")
    }
  }

  /// Refuses a view of other weights, another tokenizer, another width, or a cut that does not fit.
  static func check(_ view: AdversaryView, against loaded: LoadedModel, path: String) throws {
    do {
      guard view.identity.checkpointSHA256 == loaded.description.sha256 else {
        throw ViewFault.foreignCheckpoint(expected: loaded.description.sha256, found: view.identity.checkpointSHA256)
      }
      guard view.identity.tokenizerSHA256 == loaded.description.tokenizerSHA256 else {
        throw Fault(.invalidData, "the view was recorded with another tokenizer")
      }
      _ = try view.partition.validated(blocks: loaded.model.configuration.blocks)
      for (channel, observation) in view.observations where observation.values.columns != loaded.model.configuration.hiddenSize {
        throw Fault(
          .invalidData, "\(channel.rawValue) is \(observation.values.columns) wide, the model \(loaded.model.configuration.hiddenSize)")
      }
    } catch let fault as Fault {
      throw fault.located(at: path)
    }
  }
}
