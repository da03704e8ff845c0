import Diagnostics

/// A table for a terminal or a log: columns aligned by display width, thin rules, bold rows when colour is allowed.
package struct TerminalTable: Sendable {
  package enum Alignment: Sendable { case left, right }

  package struct Column: Sendable {
    package var title: String
    package var alignment: Alignment
    /// Left out where the table is too wide, those with the smallest number first; nil for one that always stays.
    package var givesWay: Int?
    package init(_ title: String, _ alignment: Alignment = .left, givesWay: Int? = nil) {
      (self.title, self.alignment, self.givesWay) = (title, alignment, givesWay)
    }
  }

  package struct Row: Sendable {
    package var cells: [String]
    /// Drawn bold if colour is allowed.
    package var emphasised: Bool
    /// Draws a rule above the row.
    package var startsGroup: Bool
    package init(_ cells: [String], emphasised: Bool = false, startsGroup: Bool = false) {
      (self.cells, self.emphasised, self.startsGroup) = (cells, emphasised, startsGroup)
    }
  }

  package var columns: [Column]
  package private(set) var rows: [Row] = []
  private var leftOut: [String] = []

  /// Columns that a text keeps while others can be left out, and while numbers have theirs.
  private static let (keptText, leastText) = (16, 6)

  package init(_ columns: [Column]) { self.columns = columns }

  /// Adds a row of one cell a column. Controls of untrusted text are escaped, so that it cannot drive the terminal.
  package mutating func append(_ row: Row) {
    precondition(row.cells.count == columns.count, "\(row.cells.count) cells for \(columns.count) columns")
    var row = row
    row.cells = row.cells.map(escapingControls)
    rows.append(row)
  }

  /// The table as lines, each ended by a line feed and at most `width` columns wide if given: the widest left-aligned columns give way
  /// first (`…`), then whole columns (`Column.givesWay`), which a last line names, numbers last. `color` switches the escape sequences on; pass false
  /// when NO_COLOR is set or the output is no terminal.
  package func render(width limit: Int? = nil, color: Bool = false) -> String {
    guard !columns.isEmpty else { return "" }
    if let limit, let next = overfull(limit) { return without(next, limit, color) }
    let widths = fittedWidths(limit)
    let rule = String(repeating: "─", count: max(1, widths.reduce(0, +) + 2 * (widths.count - 1)))
    func styled(_ text: String, _ code: String) -> String { color ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text }
    func fitted(_ text: String) -> String { limit.map { clipped(text, toWidth: $0) } ?? text }
    var lines = [styled(fitted(line(columns.map(\.title), widths)), "1"), styled(fitted(rule), "2")]
    for (index, row) in rows.enumerated() {
      if row.startsGroup, index > 0 { lines.append(styled(fitted(rule), "2")) }
      let text = fitted(line(row.cells, widths))
      lines.append(row.emphasised ? styled(text, "1") : text)
    }
    if !leftOut.isEmpty {
      lines.append(styled(fitted("too narrow for: \(leftOut.reversed().joined(separator: ", "))"), "2"))
    }
    return lines.map { $0 + "\n" }.joined()
  }

  private func line(_ cells: [String], _ widths: [Int]) -> String {
    var parts: [String] = []
    for (index, cell) in cells.enumerated() {
      let text = clipped(cell, toWidth: widths[index])
      let padding = String(repeating: " ", count: max(0, widths[index] - displayWidth(text)))
      parts.append(columns[index].alignment == .right ? padding + text : text + padding)
    }
    var text = parts.joined(separator: "  ")
    while text.hasSuffix(" ") { text.removeLast() }
    return text
  }

  /// The column to leave out next: nil when every number has its width, or no column may go.
  private func overfull(_ limit: Int) -> Int? {
    let wanted = fullWidths
    let least = columns.indices.reduce(2 * (columns.count - 1)) {
      $0 + (columns[$1].alignment == .left ? min(wanted[$1], Self.keptText) : wanted[$1])
    }
    guard least > limit else { return nil }
    return columns.indices.filter { columns[$0].givesWay != nil }.min { columns[$0].givesWay! < columns[$1].givesWay! }
  }

  /// The table without column `index`, and a line that names all that were left out.
  private func without(_ index: Int, _ limit: Int, _ color: Bool) -> String {
    var narrow = self
    narrow.leftOut.append(columns[index].title)
    narrow.columns.remove(at: index)
    for row in rows.indices { narrow.rows[row].cells.remove(at: index) }
    return narrow.render(width: limit, color: color)
  }

  private var fullWidths: [Int] {
    columns.indices.map { column in
      rows.reduce(displayWidth(columns[column].title)) { max($0, displayWidth($1.cells[column])) }
    }
  }

  private func fittedWidths(_ limit: Int?) -> [Int] {
    var widths = fullWidths
    guard let limit else { return widths }
    for (alignment, least) in [(Alignment.left, Self.leastText), (.right, 3), (.left, 1), (.right, 1)] {
      while widths.reduce(2 * (widths.count - 1), +) > limit {
        let shrinkable = columns.indices.filter { columns[$0].alignment == alignment && widths[$0] > least }
        guard let widest = shrinkable.max(by: { widths[$0] < widths[$1] }) else { break }
        widths[widest] -= 1
      }
    }
    return widths
  }
}
