import Audit
import Diagnostics
import Foundation
import Reports
import TestSupport
import Testing

@Suite struct ReportBuilderTests {
  /// With REPORT_PREVIEW set, leaves the synthetic pages in that folder for a look in a browser.
  @Test func buildsAllReportsFromAFolder() throws {
    try withFolder { path in
      let folder = URL(filePath: path)
      let record = SyntheticRecord.record()
      let samples = SyntheticRecord.samples(
        record, truth: "The quick brown fox jumps over the lazy dog while nobody looks, and then it sleeps until the evening.",
        guess: "The quick brown fox jumped over a lazy dog while anybody looks, and then it sleeps until this morning.")
      try RecordFile.write(record, toDirectory: folder)
      try SampleFile.write(samples, toDirectory: folder)
      let output = try ReportBuilder.build(runDirectory: folder)
      #expect(output.record == record)
      let html = try String(contentsOf: output.html, encoding: .utf8)
      #expect(!html.contains("quick brown"))
      let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
      #expect(names == ["record.json", "report.html", "report.md", "samples.jsonl", "scores.csv"])
      try ReportBuilder.build(runDirectory: folder, showText: true)
      let shown = try String(contentsOf: output.html, encoding: .utf8)
      #expect(shown.contains("quick") && shown.contains(" <mark>jumped</mark>"))
      if let preview = ProcessInfo.processInfo.environment["REPORT_PREVIEW"].map({ URL(fileURLWithPath: $0) }) {
        try AtomicFile.write(html, to: preview.appendingPathComponent("report.html"))
        try AtomicFile.write(shown, to: preview.appendingPathComponent("shown.html"))
        let partial = HTMLReport(record: SyntheticRecord.record(complete: false, cuts: [1])).render()
        try AtomicFile.write(partial, to: preview.appendingPathComponent("partial.html"))
        try AtomicFile.write(MarkdownReport.render(record), to: preview.appendingPathComponent("report.md"))
        try AtomicFile.write(TerminalSummary.render(record, width: 120), to: preview.appendingPathComponent("terminal.txt"))
      }
    }
  }

  @Test func missingOrUnwritableFoldersAreFaults() throws {
    try withFolder { path in
      let folder = URL(filePath: path)
      #expect { try ReportBuilder.build(runDirectory: folder) } throws: { ($0 as? Fault)?.code == .missingInput }
      let nowhere = folder.appendingPathComponent("nowhere")
      #expect { try RecordFile.write(SyntheticRecord.record(), toDirectory: nowhere) } throws: { ($0 as? Fault)?.code == .cannotCreate }
      // A folder stands where the file should go: the rename fails and leaves no temporary file behind.
      let blocked = folder.appendingPathComponent("record.json")
      try FileManager.default.createDirectory(at: blocked.appendingPathComponent("x"), withIntermediateDirectories: true)
      #expect { try RecordFile.write(SyntheticRecord.record(), toDirectory: folder) } throws: { ($0 as? Fault)?.code == .cannotCreate }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["record.json"])
    }
  }
}
