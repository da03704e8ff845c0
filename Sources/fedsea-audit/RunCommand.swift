import ArgumentParser
import Audit
import AuditRunner
import Diagnostics
import Foundation
import Reports

/// `run PLAN`: the whole audit, from a plan to a report.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Runs a plan: split forward, attacks, scores, record and report.",
    discussion: "A run that was stopped goes on with the same command; a finished one is only reported again, unless --fresh.")

  @Argument(help: "The plan, a YAML file.", completion: .file(extensions: ["yaml", "yml"]))
  var plan: String

  @Option(help: ArgumentHelp("Override a value of the plan, for example defense.relative=0.9.", valueName: "key=value"))
  var set: [String] = []

  @Option(help: "At most this many documents.")
  var limit: Int?

  @Option(help: ArgumentHelp("Folder for the run; by default notebooks-data/<plan>/<hash of the plan>.", valueName: "folder"))
  var output: String?

  @Flag(help: "Compute every cell again.")
  var fresh = false

  @Option(
    help: ArgumentHelp(
      "Compute only cells whose names have these parts, for example p1-seed2; several processes may share a folder. Without it the same command puts all together.",
      valueName: "text"))
  var only: String?

  @Flag(help: "Show the reconstructed private text in the report.")
  var showText = false

  @Option(help: ArgumentHelp("Exit with 10 if any attack's token accuracy exceeds this fraction.", valueName: "fraction"))
  var failAbove: Double?

  @Option(help: "text prints tables, json prints the record.")
  var format: OutputFormat = .text

  @OptionGroup var workspace: WorkspaceOptions

  func run() throws {
    let plan = try workspace.plan(plan, set: set, limit: limit)
    if let failAbove {
      guard (0...1).contains(failAbove) else { throw Fault(.usage, "--fail-above is a fraction between 0 and 1, not \(failAbove)") }
      guard plan.metrics.contains("token_accuracy") else {
        throw Fault(.usage, "--fail-above judges token_accuracy, and the plan does not measure it", hint: "add it to metrics")
      }
    }
    let runID = String(plan.sha256.prefix(12))
    let directory = URL(filePath: output ?? "\(workspace.root)/notebooks-data/\(plan.name)/\(runID)")
    if let other = try? RecordFile.read(fromDirectory: directory), other.planSHA256 != plan.sha256 {
      throw Fault(
        .usage, "the folder holds a run of another plan, \(other.runID)", at: directory.path, hint: "choose another with --output")
    }
    for line in try Overview.lines(plan) { Terminal.say(line) }
    for warning in try PlanReview.warnings(plan) { Terminal.say("warning        \(warning)") }
    Terminal.say("output         \(directory.path)\n")

    let interruption = Interruption(kept: "finished cells are kept", hint: "the same command goes on from there")
    let line = ProgressLine()
    let announce = { (text: String) in
      line.clear()
      Terminal.say(text)
    }
    let runner = AuditRunner(plan, store: workspace.store, compute: workspace.compute, announce: announce) { progress in
      try interruption.check()
      line.show("cell \(progress.cell) of \(progress.cells): \(progress.stage)", fraction: progress.fraction, reused: progress.reused)
    }
    defer { line.clear() }
    let record = try runner.run(in: directory, runID: runID, fresh: fresh, invocation: Array(CommandLine.arguments.dropFirst()), only: only)
    let built = try ReportBuilder.build(runDirectory: directory, showText: showText)
    line.clear()
    switch format {
    case .json: try Output.write(String(decoding: RecordFile.encode(record), as: UTF8.self) + "\n")
    case .text:
      try Output.write(TerminalSummary.render(record, width: Terminal.width, color: Terminal.hasColor && Terminal.width != nil) + "\n")
    }
    Terminal.say("report         \(built.html.path)")
    if record.valid == false { throw Fault(.failure, "the run is not valid: \((record.invalidReasons ?? []).joined(separator: "; "))") }
    if let refuted = record.inference?.first(where: \.refutesClaim) {
      throw Fault(.failure, "\(refuted.test) refutes the ε that the defense claims in \(refuted.cell)")
    }
    if let failures = record.failures, let first = failures.first {
      throw Fault(.failure, "\(failures.count) attacks gave no result, first \(first.attack) in \(first.cell): \(first.message)")
    }
    try checkThreshold(record, plan)
  }

  private func checkThreshold(_ record: AuditRecord, _ plan: AuditPlan) throws {
    guard let failAbove else { return }
    let controls = Set(AttackRoster.descriptions.filter(\.isBaseline).map(\.name))
    let judged = Set(plan.attacks.filter { !controls.contains($0.name) }.map(\.label))
    let worst = record.results.filter { $0.metric == "token_accuracy" && judged.contains($0.attack) }.max { $0.mean < $1.mean }
    if let worst, worst.mean > failAbove {
      throw Fault(.aboveThreshold, "\(worst.attack) recovers \(worst.mean) of the tokens in \(worst.cell), more than \(failAbove)")
    }
  }
}

/// What is about to run, before it runs.
enum Overview {
  static func lines(_ plan: AuditPlan) throws -> [String] {
    let cells = try plan.cells()
    let source =
      switch plan.dataset.source {
      case .named(let name, let split): "\(name), split \(split)"
      case .file(let path, _): escapingControls(path)
      }
    let defenses = Set(cells.map(\.plan.defense.name)).sorted()
    let size =
      "\(plan.dataset.limit.map { "\($0) documents" } ?? "all documents") of \(plan.dataset.minTokens) to \(plan.dataset.maxTokens) tokens"
    return [
      "\(Terminal.bold(plan.name)) (version \(plan.version))",
      "adversary      \(plan.threatModel.role.rawValue), knowledge \(plan.threatModel.knowledge.rawValue)",
      "sees           \(plan.threatModel.channels.map(\.rawValue).joined(separator: ", "))",
      "public text    \(plan.threatModel.auxiliary ?? "none")",
      "model          \(escapingControls(plan.model.checkpoint))",
      "private text   \(source), \(size)",
      "defense        \(defenses.joined(separator: ", "))",
      "attacks        \((plan.attacks + plan.inference).map(\.label).joined(separator: ", "))",
      "cells          \(cells.count), seeds \(plan.seeds.map(String.init).joined(separator: ", "))",
    ]
  }
}
