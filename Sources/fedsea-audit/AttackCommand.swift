import Llama
import Kernels
import SplitLearning
import ArgumentParser
import Attacks
import Audit
import AuditRunner
import Diagnostics
import Checkpoints
import Fetching
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
    let plan = try workspace.plan(plan, set: set)
    // A view may hold more than the plan's adversary sees.
    let seen = try ViewFile.read(view, channels: plan.threatModel.channels)
    let loaded = try LoadedModel(plan.model.checkpoint, in: workspace.store, compute: workspace.compute)
    try DumpCheck.check(seen, plan: plan, loaded: loaded, path: view)
    if plan.threatModel.hasLabelledPairs {
      Terminal.say("warning        a dump has no states of a colluding client: attacks learn from public text alone")
    }
    let means = try AttackerPreparation.means(plan, loaded: loaded, store: workspace.store)
    let own = URL(filePath: view).deletingLastPathComponent().path
    let folder = output ?? own
    do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
      throw Fault(.cannotCreate, "the folder cannot be made: \(error.localizedDescription)", at: folder)
    }
    let digest = try FileDigest.file(URL(filePath: view))
    let material = try PublicMaterial(plan, store: workspace.store, hiding: [own, folder])
    let interruption = Interruption(
      kept: "guesses of the attacks that ended are kept", hint: "--set \"attacks=[…]\" with the others spares what is done")
    var failures: [String] = []
    // The controls of every run: what attacks find says something only beside what guessing finds.
    let attacks = StandingControls.completed(plan.attacks) + [StandingControls.shuffled(plan)].compactMap { $0 }
    let isKnown = plan.threatModel.knowledge >= .k2
    for entry in attacks {
      do { try attack(entry, seen, means, material, isKnown: isKnown, digest: digest, into: folder, interruption) } catch let fault as Fault
        where fault.code != .interrupted
      {
        Terminal.say("\(Terminal.red("failed:")) \(entry.label): \(fault)")
        failures.append(entry.label)
      }
    }
    if !failures.isEmpty {
      throw Fault(.failure, "\(failures.count) of \(attacks.count) attacks failed: \(failures.joined(separator: ", "))")
    }
  }

  private func attack(
    _ entry: AttackPlan, _ seen: AdversaryView, _ means: AttackerMeans, _ material: PublicMaterial, isKnown: Bool,
    digest: String, into folder: String, _ interruption: Interruption
  ) throws {
    let line = ProgressLine()
    defer { line.clear() }
    let attack = try AttackRoster.make(entry)
    let found = try attack.reconstruct(seen, with: means, material) { part in
      try interruption.check()
      line.show(entry.label, fraction: part)
    }
    line.clear()
    if isKnown, !attack.description.isBaseline, let check = ResidualCheck(seen, tokens: found.reconstruction.tokens, means) {
      try check.refuseOverstatedNoise(at: view)
      // A weak attack leaves much unexplained whatever the view states.
      if ResidualCheck.explains(attack.description), let warning = check.warning { Terminal.say("warning: \(entry.label): \(warning)") }
    }
    for warning in found.warnings { Terminal.say("warning: \(warning)") }
    let path = "\(folder)/guesses-\(entry.label).h5"
    try GuessesFile(
      runID: seen.identity.runID, attack: entry.label, viewSHA256: digest, offsets: seen.offsets, reconstruction: found.reconstruction
    ).write(to: path)
    try Output.write(path + "\n")
  }
}
