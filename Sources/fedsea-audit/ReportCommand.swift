import ArgumentParser
import Foundation
import Reports

/// `report RUN…`: writes report.html, report.md and scores.csv again from the record and the samples.
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "report", abstract: "Builds the report of finished or partial runs.")

  @Argument(help: "Folders that hold record.json.", completion: .directory)
  var runs: [String]

  @Flag(help: "Show the reconstructed private text.")
  var showText = false

  func run() throws {
    for run in runs { try Output.write(try ReportBuilder.build(runDirectory: URL(filePath: run), showText: showText).html.path + "\n") }
  }
}
