package import Audit
package import Foundation

/// Makes the reports of a finished or partial run from the files in its folder: the logic of `fedsea-audit report`.
package enum ReportBuilder {
  /// What was written and read.
  package struct Output: Sendable {
    package var html: URL
    package var markdown: URL
    package var scores: URL
    package var record: AuditRecord
  }

  /// Reads `record.json` and, if there, `samples.jsonl`; writes `report.html`, `report.md` and `scores.csv`, each atomically.
  ///
  /// Private and recovered text enters report.html only with `showText`; the other two never hold any.
  /// - Throws: `Fault` 66 without a record, 65 for a record or samples that make no sense, 73/74 if a file cannot be written.
  @discardableResult
  package static func build(runDirectory: URL, showText: Bool = false) throws -> Output {
    let record = try RecordFile.read(fromDirectory: runDirectory)
    let samples = try SampleFile.read(fromDirectory: runDirectory, allowTornEnd: !record.complete)
    return try write(record, samples: samples, toDirectory: runDirectory, showText: showText)
  }

  /// The same from values in memory; does not write `record.json` or `samples.jsonl`.
  @discardableResult
  package static func write(_ record: AuditRecord, samples: [SampleRecord]?, toDirectory directory: URL, showText: Bool = false) throws
    -> Output
  {
    let output = Output(
      html: directory.appendingPathComponent("report.html"), markdown: directory.appendingPathComponent("report.md"),
      scores: directory.appendingPathComponent(ScoresCSV.name), record: record)
    try ScoresCSV.write(record, toDirectory: directory)
    try AtomicFile.write(MarkdownReport.render(record), to: output.markdown)
    try AtomicFile.write(HTMLReport(record: record, samples: samples, showText: showText).render(), to: output.html)
    return output
  }
}
