import Audit
import Reports
import Testing

@Suite struct MarkupTests {
  @Test func interpolatedTextIsEscaped() {
    let name = "<b a=\"x\" c='y'>&\u{202E}"
    #expect(("<i title=\"\(name)\">\(3)</i>" as Markup).source == "<i title=\"&lt;b a=&quot;x&quot; c=&#39;y&#39;&gt;&amp;⟨U+202E⟩\">3</i>")
    let inner: Markup = "<b>\("&")</b>"
    #expect(("<p>\(inner)\([inner, inner])</p>" as Markup).source == "<p><b>&amp;</b><b>&amp;</b><b>&amp;</b></p>")
  }

  @Test func actingCharactersBecomeVisible() {
    #expect(
      visibleScalars("a\u{0}b\u{7F}\u{85}\u{200B}\u{2028}\u{FEFF}\u{FFFF}\u{E0041}")
        == "a⟨U+0000⟩b⟨U+007F⟩⟨U+0085⟩⟨U+200B⟩⟨U+2028⟩⟨U+FEFF⟩⟨U+FFFF⟩⟨U+E0041⟩")
    #expect(visibleScalars("tab\tline\nümlaut 👩‍👩‍👧 עברית") == "tab\tline\nümlaut 👩‍👩‍👧 עברית")
    #expect(visibleScalars("\r\n") == "⟨U+000D⟩\n")
  }

  @Test func truncationCountsWhatItDrops() {
    #expect(truncated("abc", to: 3) == ("abc", 0))
    #expect(truncated("abcd", to: 3) == ("abc", 1))
    #expect(truncated("", to: 0) == ("", 0))
  }
}

@Suite struct NumberTextTests {
  @Test func printsAsPeopleRead() {
    #expect(NumberText.percent(0.979) == "97.9\u{202F}%" && NumberText.percent(1) == "100\u{202F}%" && NumberText.percent(.nan) == "–")
    #expect(NumberText.percentInterval(0.95, 1) == "[95.0–100]")
    #expect(NumberText.points(0.123) == "+12.3" && NumberText.points(-0.05) == "−5.0" && NumberText.points(0) == "0.0")
    #expect(
      NumberText.significant(0.062665) == "0.0627" && NumberText.significant(1840.2) == "1840" && NumberText.significant(2.30) == "2.3")
    #expect(NumberText.significant(1e-9) == "1.00e−09" && NumberText.significant(-.infinity) == "–" && NumberText.significant(0) == "0")
    #expect(NumberText.fixed(-0.001, 1) == "0.0" && NumberText.grouped(134_515_008) == "134\u{202F}515\u{202F}008")
    #expect(
      NumberText.duration(0.417) == "0.42\u{202F}s" && NumberText.duration(171) == "2\u{202F}min 51\u{202F}s"
        && NumberText.duration(.infinity) == "–")
    #expect(NumberText.coordinate(.nan) == "0" && NumberText.coordinate(1e300) == "100000" && NumberText.coordinate(1.234) == "1.23")
  }
}

@Suite struct ScoresCSVTests {
  /// A strict RFC 4180 reader: CRLF rows, quotes doubled.
  private func parse(_ text: String) -> [[String]] {
    var (rows, row, cell, quoted) = ([[String]](), [String](), "", false)
    var scalars = Array(text.unicodeScalars)[...]
    while let scalar = scalars.popFirst() {
      switch (scalar, quoted) {
      case ("\"", true) where scalars.first == "\"": cell.unicodeScalars.append(scalars.removeFirst())
      case ("\"", _): quoted.toggle()
      case (",", false):
        row.append(cell)
        cell = ""
      case ("\r", false) where scalars.first == "\n":
        scalars.removeFirst()
        rows.append(row + [cell])
        (row, cell) = ([], "")
      default: cell.unicodeScalars.append(scalar)
      }
    }
    return rows
  }

  @Test func isTidyAndParsesBack() throws {
    let record = SyntheticRecord.record(cuts: [1])
    let rows = parse(ScoresCSV.encode(record))
    #expect(rows.count == record.results.count + 1 && Set(rows.map(\.count)).count == 1)
    let mean = try #require(rows[0].firstIndex(of: "mean"))
    let sigma = try #require(rows[0].firstIndex(of: "defense.sigma"))
    for (row, result) in zip(rows.dropFirst(), record.results) {
      #expect(Double(row[mean]) == result.mean && Double(row[sigma]) == result.settings["defense.sigma"]?.number)
    }
  }

  @Test func formulasAreDefusedInTextColumnsOnly() throws {
    var record = SyntheticRecord.record(cuts: [1])
    record.results = Array(record.results.prefix(1))
    record.results[0].attack = "=HYPERLINK(\"http://x\",\"y\")\r\nz"
    record.results[0].cell = "@SUM(1)"
    record.results[0].gainOverBaseline = -0.25
    record.results[0].settings = ["+key": .string("-1+1"), "plain": .number(-3), "flag": .bool(true)]
    let rows = parse(ScoresCSV.encode(record))
    func cell(_ name: String) throws -> String { rows[1][try #require(rows[0].firstIndex(of: name))] }
    #expect(try cell("attack") == "'=HYPERLINK(\"http://x\",\"y\")\r\nz" && cell("cell") == "'@SUM(1)")
    #expect(try cell("gain_over_baseline") == "-0.25" && cell("plain") == "-3" && cell("flag") == "true")
    #expect(try cell("'+key") == "'-1+1")
  }
}

@Suite struct TerminalTableTests {
  @Test func alignsByDisplayWidth() {
    var table = TerminalTable([.init("name"), .init("value", .right)])
    table.append(.init(["日本", "1.5"]))
    table.append(.init(["e\u{301}a", "10.25"], emphasised: true, startsGroup: true))
    #expect(table.render() == "name  value\n───────────\n日本    1.5\n───────────\ne\u{301}a    10.25\n")
    #expect(!table.render(color: false).contains("\u{1B}") && table.render(color: true).contains("\u{1B}[1m"))
  }

  /// A number that is cut is a wrong number: whole columns give way before that.
  @Test func columnsGiveWayBeforeNumbersAreCut() {
    var table = TerminalTable([
      .init("attack"), .init("accuracy", .right), .init("interval", .right, givesWay: 2), .init("perplexity", .right, givesWay: 1),
    ])
    table.append(.init(["sequential-matching", "99.8 %", "[99.7–99.9]", "10704"]))
    #expect(table.render(width: 80) == table.render())
    let narrow = table.render(width: 42)
    #expect(narrow.contains("99.8 %") && narrow.contains("[99.7–99.9]") && !narrow.contains("107") && narrow.contains("sequ"))
    #expect(narrow.hasSuffix("too narrow for: perplexity\n"))
    let narrower = table.render(width: 30)
    #expect(narrower.contains("99.8 %") && !narrower.contains("[99") && narrower.contains("too narrow for: interval, p"))
  }

  @Test func fitsAnyWidthAndEscapesControls() {
    var table = TerminalTable([.init("a long title"), .init("number", .right), .init("x")])
    table.append(.init(["some long text 👩‍👩‍👧 日本語 text", "123456.789", "\u{1B}[2J\u{202E}"]))
    for width in [1, 5, 10, 20, 40, 80] {
      for line in table.render(width: width).split(separator: "\n") { #expect(displayWidth(String(line)) <= width, "\(width): \(line)") }
    }
    #expect(table.render().contains("\\u{1b}[2J\\u{202e}"))
    #expect(clipped("日本語", toWidth: 4) == "日…" && clipped("abc", toWidth: 0) == "")
  }
}
