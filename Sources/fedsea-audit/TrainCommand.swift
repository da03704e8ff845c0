import ArgumentParser
import Audit
import AuditRunner
import Diagnostics
import Foundation
import Llama
import Reports

/// `train PLAN`: fine-tunes through the split, cell by cell, and tells the accuracy.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Fine-tunes adapters through the split and measures the task's accuracy.",
    discussion: """
      Writes training.json and the adapters of each cell, in PEFT's format. A run that was stopped goes on with the same command: finished \
      cells are kept, and the one that was running goes on from its last checkpoint (save_every), bit for bit as if it had not been stopped.
      """)

  @Argument(help: "The training plan, a YAML file.", completion: .file(extensions: ["yaml", "yml"]))
  var plan: String

  @Option(help: ArgumentHelp("Override a value of the plan, for example steps=50 or task.path=FOLDER.", valueName: "key=value"))
  var set: [String] = []

  @Option(help: ArgumentHelp("Folder for the run; by default notebooks-data/<name>/<hash of the plan>.", valueName: "folder"))
  var output: String?

  @Option(help: "text prints a table, json prints the record.")
  var format: OutputFormat = .text

  @OptionGroup var workspace: WorkspaceOptions

  func run() throws {
    let plan = try TrainingPlan(contentsOf: plan, set: set, known: Catalogs.names(in: workspace.store), tasks: TaskData.names)
    let cells = try plan.cells(tasks: TaskData.names)
    let runID = String(plan.sha256.prefix(12))
    let directory = URL(filePath: output ?? "\(workspace.root)/notebooks-data/\(plan.name)/\(runID)")
    Terminal.say("task           \(plan.task.name) from \(escapingControls(plan.task.path))")
    Terminal.say("split          \(cells.count) cells of \(plan.steps) steps × \(plan.batch) texts, \(plan.precision.rawValue)")
    Terminal.say("output         \(directory.path)\n")
    let interruption = Interruption(
      kept: "finished cells are kept, and the last checkpoint of this one", hint: "the same command goes on from there")
    let line = ProgressLine()
    defer { line.clear() }
    let record = try TrainingSuite.run(
      plan, in: directory, store: workspace.store, compute: workspace.compute, announce: { Terminal.say($0) }
    ) { number, cells, id, fraction, step, loss in
      try interruption.check()
      line.show("cell \(number) of \(cells): \(id), step \(step), loss \(String(format: "%.3f", loss))", fraction: fraction)
    }
    line.clear()
    switch format {
    case .json: try Output.write(String(decoding: record.encoded(), as: UTF8.self) + "\n")
    case .text: try Output.write(table(record))
    }
  }

  private func table(_ record: TrainingRecord) -> String {
    func percent(_ x: Double) -> String { String(format: "%5.1f %%", 100 * x) }
    func padded(_ id: String) -> String { escapingControls(id).padding(toLength: 32, withPad: " ", startingAt: 0) }
    var lines = ["cell                              before    after            95 %        n   loss first → last   tokens/s"]
    for cell in record.cells {
      let (first, last) = (cell.losses.first ?? 0, cell.losses.suffix(10).reduce(0, +) / Double(max(1, min(10, cell.losses.count))))
      lines.append(
        "\(padded(cell.id)) \(percent(cell.before[cell.metric] ?? 0))  \(percent(cell.after[cell.metric] ?? 0))  "
          + "[\(percent(cell.interval.first ?? 0)), \(percent(cell.interval.last ?? 0))] \(cell.validationExamples)   "
          + String(format: "%.3f → %.3f", first, last) + String(format: "   %.0f", cell.tokensPerSecond))
    }
    // What a client's steps put on the wire, both ways, and what two other layouts would have put there for the same texts.
    lines += [
      "", "bytes on the wire                  a token: here   FedSEA   FL-GLM      a client's step: here       FedSEA       FL-GLM",
    ]
    for cell in record.cells {
      let perToken = [cell.bytesPerToken, cell.paddedHalfBytesPerToken, cell.maskedHalfBytesPerToken ?? .nan]
      let perStep = [cell.bytesPerStep, cell.paddedHalfBytesPerStep, cell.maskedHalfBytesPerStep].map { $0 ?? .nan }
      lines.append(
        padded(cell.id) + String(format: "          %7.0f  %7.0f  %7.0f", perToken[0], perToken[1], perToken[2])
          + String(format: "            %11.0f  %11.0f  %11.0f", perStep[0], perStep[1], perStep[2]))
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
