package import Audit
package import Foundation

/// scores.csv: tidy (one row a result), RFC 4180 (CRLF, quotes doubled), for pandas, R and spreadsheets.
package enum ScoresCSV {
  package static let name = "scores.csv"

  static let columns = [
    "run_id", "commit", "complete", "cell", "channel", "attack", "metric", "mean", "ci95_low", "ci95_high", "stderr", "n",
    "higher_leaks_more", "gain_over_baseline", "gain_ci95_low", "gain_ci95_high", "seconds",
  ]

  /// The table with a header row. The settings of the cells follow as columns, sorted by name; a setting that a cell lacks is empty.
  package static func encode(_ record: AuditRecord) -> String {
    let keys = Set(record.results.flatMap(\.settings.keys)).sorted()
    var out = row(columns + keys.map(text))
    for result in record.results {
      let low = result.ci95.first ?? .nan
      let high = result.ci95.last ?? .nan
      out += row(
        [
          text(record.runID), text(record.commit), record.complete ? "true" : "false", text(result.cell), text(result.channel),
          text(result.attack), text(result.metric), number(result.mean), number(low), number(high), number(result.stderr), String(result.n),
          result.higherLeaksMore ? "true" : "false", result.gainOverBaseline.map(number) ?? "",
          result.gainCI95?.first.map(number) ?? "", result.gainCI95?.last.map(number) ?? "", number(result.seconds),
        ] + keys.map { key in setting(result.settings[key]) })
    }
    return out
  }

  /// Writes `scores.csv` into a run's folder, atomically.
  package static func write(_ record: AuditRecord, toDirectory directory: URL) throws {
    try AtomicFile.write(encode(record), to: directory.appendingPathComponent(name))
  }

  private static func row(_ cells: [String]) -> String { cells.map(quoted).joined(separator: ",") + "\r\n" }

  private static func quoted(_ cell: String) -> String {
    let needsQuotes = cell.unicodeScalars.contains { $0 == "," || $0 == "\"" || $0 == "\r" || $0 == "\n" }
    return needsQuotes ? "\"" + cell.replacingOccurrences(of: "\"", with: "\"\"") + "\"" : cell
  }

  /// Text from outside: a spreadsheet must not take it for a formula.
  private static func text(_ value: String) -> String {
    guard let first = value.unicodeScalars.first else { return value }
    return ["=", "+", "-", "@", "\t", "\r"].contains(first) ? "'" + value : value
  }

  private static func number(_ value: Double) -> String { value.isFinite ? String(value) : "" }

  private static func setting(_ value: SettingValue?) -> String {
    switch value {
    case nil, .null: ""
    case .number(let number): number.isFinite ? SettingValue.number(number).label : ""
    case .bool(let flag): flag ? "true" : "false"
    case .some(let other): text(other.label)
    }
  }
}
