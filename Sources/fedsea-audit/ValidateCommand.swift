import ArgumentParser
import Attacks
import Audit
import AuditRunner
import Diagnostics
import Foundation

/// `validate PLAN…`: reads plans, or every plan of a folder, and says what is wrong and where.
struct ValidateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "validate", abstract: "Checks plans without running them.")

  @Argument(help: "Plans, or folders of plans.", completion: .file())
  var paths: [String]

  @Option var format: OutputFormat = .text
  @OptionGroup var workspace: WorkspaceOptions

  private struct Verdict: Encodable {
    var plan: String
    var valid: Bool
    var cells: Int?
    var error: String?
  }

  func run() throws {
    let known = try Catalogs.names(in: workspace.store)
    let verdicts = try files().map { path -> Verdict in
      do {
        if TrainingPlan.describes(path) {
          let plan = try TrainingPlan(contentsOf: path, known: known, tasks: TaskData.names)
          return Verdict(plan: path, valid: true, cells: try plan.cells(tasks: TaskData.names).count)
        }
        let plan = try AuditPlan(contentsOf: path, known: known)
        for attack in plan.attacks { _ = try AttackRoster.make(attack) }
        for attack in plan.inference { _ = try InferenceCatalog.make(attack.name, settings: attack.settings) }
        return Verdict(plan: path, valid: true, cells: try plan.cells().count)
      } catch let fault as Fault {
        return Verdict(plan: path, valid: false, error: fault.description)
      }
    }
    switch format {
    case .json: try Output.json(verdicts)
    case .text:
      for verdict in verdicts {
        try Output.write(verdict.error.map { "\($0)\n" } ?? "\(verdict.plan): valid, \(verdict.cells ?? 0) cells\n")
      }
    }
    let bad = verdicts.count { !$0.valid }
    if bad > 0 { throw Fault(.invalidData, "\(bad) of \(verdicts.count) plans are not valid") }
  }

  private func files() throws -> [String] {
    let found = try paths.flatMap { path -> [String] in
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
        throw Fault(.missingInput, "there is no such plan", at: path)
      }
      guard isFolder.boolValue else { return [path] }
      return try FileManager.default.subpathsOfDirectory(atPath: path).filter { $0.hasSuffix(".yaml") || $0.hasSuffix(".yml") }.sorted()
        .map { (path.hasSuffix("/") ? path : path + "/") + $0 }
    }
    guard !found.isEmpty else { throw Fault(.missingInput, "there is no plan in \(paths.joined(separator: ", "))") }
    return found
  }
}
