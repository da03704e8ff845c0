import SplitLearning
import ArgumentParser
import Tokenizers
import Audit
import AuditRunner
import Defenses
import Diagnostics
import Foundation
import Kernels
import PrivateText

/// `dump PLAN --output DIR`: what the server would see, into view.h5, and the truth apart from it.
struct DumpCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dump", abstract: "Writes view.h5 and truth.h5 for the cells of a plan, without attacking.",
    discussion: "One cell: DIR/view.h5; a sweep: DIR/<cell>/view.h5. Beside each lies truth.h5; give it to nobody who attacks.")

  @Argument(help: "The plan, a YAML file.", completion: .file(extensions: ["yaml", "yml"]))
  var plan: String

  @Option(help: ArgumentHelp("Folder to write to.", valueName: "folder"))
  var output: String

  @Option(help: ArgumentHelp("Override a value of the plan.", valueName: "key=value"))
  var set: [String] = []

  @Option(help: "At most this many documents.")
  var limit: Int?

  @Option(help: "f32 or f16.")
  var precision = "f32"

  @OptionGroup var workspace: WorkspaceOptions

  func run() throws {
    guard let precision = ViewPrecision(rawValue: precision) else { throw Fault(.usage, "--precision is f32 or f16, not \(precision)") }
    let plan = try workspace.plan(plan, set: set, limit: limit)
    let cells = try plan.cells()
    // A dump waits for the disk; it need not hold the weights twice.
    var compute = workspace.compute
    compute.packsWeights = false
    let loaded = try LoadedModel(plan.model.checkpoint, in: workspace.store, compute: compute)
    for cell in cells { _ = try cell.partition.validated(blocks: loaded.description.blocks) }
    let runID = String(plan.sha256.prefix(12))
    for cell in cells {
      let bench = try Workbench(cell.plan, seed: cell.seed, loaded: loaded, store: workspace.store)
      let defense = try DefenseCatalog.make(cell.defense).prepared(
        for: try bench.statistics(inputBlocks: cell.partition.input), seed: UInt64(cell.seed))
      let setting = bench.setting(cell, defense)
      let folder = cells.count == 1 ? output : "\(output)/\(cell.id)"
      do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
        throw Fault(.cannotCreate, "the folder cannot be made: \(error.localizedDescription)", at: folder)
      }
      let size = try SplitExchange.predictedBytes(setting, bench.corpus.sent, precision: precision)
      Terminal.say("\(cell.id): view.h5 will take about \(size.formatted(.byteCount(style: .file)))")
      let line = ProgressLine()
      defer { line.clear() }
      let interruption = Interruption(kept: "files of the cells that ended are kept", hint: "the same command makes all cells anew")
      let exchange = try bench.dump(
        cell, setting,
        identity: ViewIdentity(
          runID: runID, planSHA256: plan.sha256, checkpointSHA256: loaded.description.sha256,
          tokenizerSHA256: loaded.description.tokenizerSHA256, created: Provenance.now(), fedseaVersion: Version.current),
        to: "\(folder)/view.h5", precision: precision
      ) {
        try interruption.check()
        line.show(cell.id, fraction: $0)
      }
      line.clear()
      try TruthFile(runID: runID, documents: exchange.documents).write(to: "\(folder)/truth.h5")
      try Output.write("\(folder)/view.h5\n")
    }
  }
}
