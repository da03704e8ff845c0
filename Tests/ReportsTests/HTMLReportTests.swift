import Audit
import Foundation
import FoundationXML
import Reports
import Testing

/// Parses a page as XML, collecting element names; nil with the error if it is not well-formed.
final class PageParser: NSObject, XMLParserDelegate {
  private(set) var elements: [String: Int] = [:]
  private(set) var attributes: [(element: String, name: String, value: String)] = []
  private(set) var text = ""

  static func parse(_ page: String) -> PageParser? {
    let result = PageParser()
    let parser = XMLParser(data: Data(page.utf8))
    parser.delegate = result
    return parser.parse() ? result : nil
  }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
    attributes given: [String: String] = [:]
  ) {
    elements[name, default: 0] += 1
    attributes += given.map { (name, $0.key, $0.value) }
  }

  func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
}

@Suite struct HTMLReportTests {
  private let hostile = "</td><script>alert(1)</script>\" onload='x' & \u{202E}gnp\u{2066}\u{0}\u{1B}[31m<!--"

  private func page(_ record: AuditRecord, samples: [SampleRecord]? = nil, showText: Bool = false) throws -> PageParser {
    try #require(PageParser.parse(HTMLReport(record: record, samples: samples, showText: showText).render()))
  }

  @Test func isWellFormedSelfContainedAndDeterministic() throws {
    let record = SyntheticRecord.record()
    let source = HTMLReport(record: record).render()
    #expect(source == HTMLReport(record: record).render())
    let page = try #require(PageParser.parse(source))
    #expect(page.elements["script"] == nil && page.elements["link"] == nil && page.elements["img"] == nil && page.elements["iframe"] == nil)
    for attribute in page.attributes where ["href", "src"].contains(attribute.name) { #expect(attribute.value.hasPrefix("#")) }
    #expect(!source.contains("url(") && !source.contains("@import"))
    // One leakage chart and one histogram per cut, and a swatch per attack in the legend.
    #expect(page.elements["svg"] == 3 + 3 + SyntheticRecord.attacks.count)
    let ids = page.attributes.filter { $0.name == "id" }.map(\.value)
    #expect(Set(ids).count == ids.count)
    for link in page.attributes where link.name == "href" { #expect(ids.contains(String(link.value.dropFirst()))) }
  }

  @Test func statesTheMeasuredNumbersWithTheirUncertainty() throws {
    let text = try page(SyntheticRecord.record()).text
    for part in [
      "With exact weights, the server recovers 100\u{202F}%", "p = 1 without noise", "n = 12 documents", "seed 1", "cccccccccccc",
      "95 % interval",
    ] {
      #expect(text.contains(part), "\(part)")
    }
  }

  @Test func hostileTextStaysText() throws {
    var record = SyntheticRecord.record(cuts: [1])
    record.runID = hostile
    record.commit = hostile
    record.created = hostile
    record.plan = .map(["plan": .string(hostile), "description": .string(hostile), hostile: .string(hostile)])
    record.versions = [hostile: hostile]
    record.dataset.name = hostile
    record.checkpoint.name = hostile
    record.host.cpu = hostile
    record.threatModel.auxiliary = hostile
    record.defense = .map(["name": .string(hostile)])
    record.warnings = [hostile]
    record.timings = [hostile: 1]
    record.coverage = [ChannelCoverage(channel: hostile, protection: .unprotected, note: hostile)]
    record.invocation = [hostile]
    record.attacks?[0].summary = hostile
    for index in record.results.indices {
      record.results[index].attack += hostile
      record.results[index].metric = record.results[index].metric == "rouge1_f" ? hostile : record.results[index].metric
      record.results[index].settings["z" + hostile] = .string(hostile)
    }
    let samples = SyntheticRecord.samples(record, truth: hostile, guess: hostile + " else").map { sample in
      var sample = sample
      sample.attack += hostile
      sample.matches = hostile
      return sample
    }
    for shown in [false, true] {
      let source = HTMLReport(record: record, samples: samples, showText: shown).render()
      let page = try #require(PageParser.parse(source))
      #expect(page.elements["script"] == nil)
      #expect(!page.attributes.contains { $0.name == "onload" })
      for scalar in ["\u{202E}", "\u{2066}", "\u{0}", "\u{1B}"] { #expect(!source.unicodeScalars.contains(Unicode.Scalar(scalar)!)) }
      #expect(page.text.contains("⟨U+202E⟩"))
    }
    let markdown = MarkdownReport.render(record)
    #expect(!markdown.contains("<script") && !markdown.unicodeScalars.contains("\u{202E}"))
    let terminal = TerminalSummary.render(record, width: 100)
    #expect(!terminal.unicodeScalars.contains("\u{1B}") && !terminal.unicodeScalars.contains("\u{202E}"))
  }

  @Test func textIsRedactedUnlessAskedFor() throws {
    let record = SyntheticRecord.record(cuts: [1])
    let samples = SyntheticRecord.samples(record, truth: "geheimnis alpha", guess: "geheimnis beta")
    let hidden = try page(record, samples: samples)
    #expect(!hidden.text.contains("geheimnis") && hidden.text.contains("17 of 40 tokens read, 23 not"))
    let shown = try page(record, samples: samples, showText: true)
    #expect(
      shown.text.contains("geheimnis") && shown.elements["mark"] == 2 * shown.text.components(separatedBy: "Private text").dropFirst().count
    )
  }

  @Test func partialRecordsSaySo() throws {
    #expect(try page(SyntheticRecord.record(complete: false)).text.contains("Partial result"))
    #expect(try !page(SyntheticRecord.record()).text.contains("Partial result"))
    #expect(MarkdownReport.render(SyntheticRecord.record(complete: false)).contains("Partial result"))
    #expect(TerminalSummary.render(SyntheticRecord.record(complete: false)).hasPrefix("PARTIAL"))
    var half = SyntheticRecord.record(complete: false)
    half.results.removeAll { $0.attack == "sequential-matching" && $0.cell.hasPrefix("p2") }
    half.results.removeAll { $0.cell.hasPrefix("p3") }
    half.utility.removeAll { $0.cell.hasPrefix("p1") }
    _ = try page(half)
  }

  @Test func emptyRecordsRender() throws {
    let empty = SyntheticRecord.record(complete: false, cuts: [], documents: 0)
    let text = try page(empty, samples: []).text
    #expect(text.contains("supports no conclusion about leakage"))
    #expect(!MarkdownReport.render(empty).isEmpty && !TerminalSummary.render(empty).isEmpty)
    #expect(ScoresCSV.encode(empty).split(separator: "\r\n").count == 1)
    let zero = try page(SyntheticRecord.record(documents: 0)).text
    #expect(zero.contains("n = 0 documents"))
    var bare = SyntheticRecord.record(cuts: [1])
    for index in bare.results.indices { bare.results[index].settings = [:] }
    (bare.margins, bare.utility, bare.attacks, bare.invocation) = ([], [], nil, nil)
    #expect(try page(bare).text.contains("all cells"))
  }

  @Test func numbersThatAreNotFiniteNeverReachThePage() throws {
    for value in [Double.nan, .infinity, -.infinity, 1e308, -1e308] {
      var record = SyntheticRecord.record(cuts: [1, 2])
      for index in stride(from: 0, to: record.results.count, by: 3) {
        record.results[index].mean = value
        record.results[index].ci95 = [value, value]
        record.results[index].seconds = value
        record.results[index].gainOverBaseline = value
        record.results[index].settings[SettingKey.sigma] = .number(value)
        record.results[index].settings[SettingKey.signalToNoiseDecibels] = .number(value)
      }
      record.utility[0].mean = value
      record.margins[0].quantiles = record.margins[0].quantiles.map { _ in value }
      record.margins[1].edges[23] = value
      record.timings["x"] = value
      let page = try page(record)
      for attribute in page.attributes where ["d", "x", "y", "cx", "cy", "width", "height", "viewBox", "x1", "r"].contains(attribute.name) {
        let lowered = attribute.value.lowercased()
        #expect(!lowered.contains("nan") && !lowered.contains("inf") && attribute.value.count < 4000, "\(attribute)")
      }
      #expect(!page.text.contains(" nan ") && !page.text.contains("inf %"))
    }
  }

  @Test func hugeSamplesAreCut() throws {
    let record = SyntheticRecord.record(cuts: [1])
    let huge = String(repeating: "wörter 🙂 ", count: 100_000)
    var samples = SyntheticRecord.samples(record, truth: huge, guess: huge + "x")
    for index in samples.indices {
      (samples[index].tokens, samples[index].matches) = (5_000_000, String(repeating: "10", count: 2_000_000))
    }
    let source = HTMLReport(record: record, samples: samples, showText: true).render()
    #expect(source.utf8.count < 300_000 && source.contains("more characters"))
    let hidden = HTMLReport(record: record, samples: samples).render()
    #expect(hidden.utf8.count < 300_000 && hidden.contains("and 4999600 more"))
  }

  @Test func anUnknownAttackIsNeverTakenForABaseline() throws {
    var record = SyntheticRecord.record(cuts: [1])
    record.attacks = nil
    for index in record.results.indices where record.results[index].attack == "sequential-matching" {
      record.results[index].attack = "something-new"
      record.results[index].gainOverBaseline = nil
    }
    #expect(try page(record).text.contains("Attack something-new, n = 12"))
  }

  /// A relative amount that was converted to sigma and back differs in the last digits from cut to cut; it stays one column.
  @Test func theSameLevelAtEveryCutIsOneColumn() throws {
    let record = SyntheticRecord.record()
    let text = TerminalSummary.render(record)
    #expect(text.components(separatedBy: "relative 0.9 ").count == 4)
    let page = try page(record).text
    let glance = try #require(page.components(separatedBy: "At a glance").last?.components(separatedBy: "What was tested").first)
    #expect(glance.components(separatedBy: "relative 0.9").count == 2)
  }

  /// Several seeds become one row with the widest bounds; a swept clip becomes a panel of its own.
  @Test func seedsMergeAndOtherSettingsSplit() throws {
    var record = SyntheticRecord.record(cuts: [1])
    var second = record.results
    for index in second.indices {
      second[index].settings[SettingKey.seed] = .number(2)
      second[index].cell += "-2"
      if second[index].metric == "token_accuracy" && second[index].attack == "sequential-matching" {
        second[index].mean -= 0.02
        second[index].ci95 = [0.01, second[index].mean]
      }
    }
    record.results += second
    let merged = try page(record).text
    #expect(merged.contains("99.0\u{202F}% [1.0–100]") && merged.contains("seed 1, 2"))
    record.plan = .map(["sweep": .map(["defense.clip": .list([.number(1), .number(2)])])])
    for index in record.results.indices { record.results[index].settings[SettingKey.clip] = .number(index % 2 == 0 ? 1 : 2) }
    #expect(try page(record).text.contains("defense.clip = 2, p = 1"))
  }

  /// A label with settings behind the name keeps its description, and an attack is not a baseline because its name resembles one.
  @Test func labelsFindTheirDescriptions() throws {
    var record = SyntheticRecord.record(cuts: [1])
    record.attacks = [
      MethodDescription(name: "nearest-embedding", summary: "the nearest one", paper: "control", cost: "", knowledge: .k1, channels: []),
      MethodDescription(
        name: "uniform", summary: "sees nothing", paper: "control", cost: "", knowledge: .k0, channels: [], isBaseline: true),
    ]
    let text = try page(record).text
    #expect(text.components(separatedBy: "the nearest one").count == 3)
    #expect(text.contains("uniform, baseline") && !text.contains("anchors, baseline"))
  }

  private let badControls = Controls(
    plantedLeaks: [PlantedLeakControl(cell: "c", partition: "p = 1, q = 1", attack: "nearest-embedding", accuracy: 0.5, threshold: 0.99)],
    shuffled: [ShuffledControl(cell: "c", attack: "shuffled-inverter", accuracy: 0.9, chance: 0.06)])

  private func controlled(_ controls: Controls, failures: [AttackFailure] = [], cuts: [Int] = [1]) -> AuditRecord {
    var record = SyntheticRecord.record(cuts: cuts)
    record.eligible = false
    (record.controls, record.failures) = (controls, failures)
    (record.invalidReasons, record.valid) = (controls.problems, controls.problems.isEmpty)
    return record
  }

  /// Nobody can miss that a control failed: not on the page, not in Markdown, not on the terminal.
  @Test func invalidRunsSaySoFirst() throws {
    let record = controlled(badControls)
    let page = try page(record)
    #expect(page.attributes.contains { $0.name == "class" && $0.value == "banner invalid" })
    #expect(page.text.contains("INVALID RUN") && page.text.contains("NOT FOUND") && page.text.contains("BETTER THAN CHANCE"))
    #expect(TerminalSummary.render(record, width: 100).hasPrefix("INVALID RUN"))
    let markdown = MarkdownReport.render(record)
    let banner = try #require(markdown.range(of: "INVALID RUN")), verdict = try #require(markdown.range(of: "supports no conclusion"))
    #expect(banner.lowerBound < verdict.lowerBound && !markdown.contains("recovers 100"))
    let good = controlled(
      Controls(plantedLeaks: [PlantedLeakControl(cell: "c", partition: "p = 1, q = 1", attack: "a", accuracy: 1, threshold: 0.99)]))
    let text = try self.page(good).text
    #expect(!text.contains("INVALID") && text.contains("as they must be"))
    #expect(TerminalSummary.render(good).contains("controls: planted leak found (100"))
    #expect(!MarkdownReport.render(good).contains("INVALID"))
  }

  @Test func failuresAreListedAndHarmless() throws {
    let failures = (0..<25).map { AttackFailure(cell: "cell \($0)", attack: hostile, message: hostile) }
    let record = controlled(Controls(), failures: failures)
    let page = try page(record)
    #expect(page.elements["script"] == nil && page.text.contains("Attacks that gave no result (25)") && page.text.contains("and 5 more"))
    #expect(!MarkdownReport.render(record).contains("<script"))
    #expect(TerminalSummary.render(record).contains("FAILED: "))
  }

  /// Twenty attacks in twelve cells: every one is in the table of its cut, few enough are drawn, and no table has more columns than levels.
  @Test func manyAttacksStayReadable() throws {
    var record = SyntheticRecord.record()
    let originals = record.results.filter { $0.attack == "anchors" }
    for k in 0..<16 {
      record.results += originals.map { original in
        var copy = original
        copy.attack = "learned-\(k)"
        copy.mean *= 0.9 - 0.02 * Double(k)
        copy.ci95 = copy.ci95.map { $0 * (0.9 - 0.02 * Double(k)) }
        copy.gainCI95 = copy.gainOverBaseline.map { [$0 - 0.01, $0 + 0.01] }
        return copy
      }
    }
    let source = HTMLReport(record: record).render()
    let page = try #require(PageParser.parse(source))
    let every = try #require(page.text.components(separatedBy: "Every attack").dropFirst(2).first)
    for k in 0..<16 { #expect(every.contains("learned-\(k)")) }
    #expect(page.text.contains("Only the 6 strongest attacks are drawn; the table of every attack has the other 15"))
    #expect(page.elements["svg"] == 3 + 3 + 6 + 3)
    #expect(page.elements["details"] == 3 && !page.attributes.contains { $0.name == "open" })
    let markdown = MarkdownReport.render(record)
    for k in 0..<16 { #expect(markdown.components(separatedBy: "| learned-\(k) |").count == 4) }
    if let preview = ProcessInfo.processInfo.environment["REPORT_PREVIEW"].map({ URL(fileURLWithPath: $0) }) {
      try AtomicFile.write(source, to: preview.appendingPathComponent("many.html"))
      try AtomicFile.write(HTMLReport(record: controlled(badControls)).render(), to: preview.appendingPathComponent("invalid.html"))
    }
  }

  /// Four lucky documents are not the most that leaked of twelve; nor are they kept from the reader.
  @Test func attacksOnFewerDocumentsAreNotTheBest() throws {
    var record = SyntheticRecord.record()
    for i in record.results.indices where record.results[i].metric == "token_accuracy" {
      let result = record.results[i]
      if result.attack == "anchors" { (record.results[i].n, record.results[i].mean, record.results[i].ci95) = (4, 1, [1, 1]) }
      if result.attack == "sequential-matching" { record.results[i].mean = min(result.mean, 0.9) }
    }
    let text = TerminalSummary.render(record)
    #expect(text.contains("recovers \(NumberText.percent(0.9))") && text.contains("Attack sequential-matching, n = 12 documents"))
    #expect(text.contains("On fewer documents there: anchors \(NumberText.percent(1)) of 4."))
  }

  @Test func gainsHaveTheirInterval() throws {
    var record = SyntheticRecord.record(cuts: [1])
    for index in record.results.indices where record.results[index].gainOverBaseline != nil {
      record.results[index].gainCI95 = [0.5, 0.75]
    }
    #expect(try page(record).text.contains("[+50.0, +75.0]"))
    #expect(MarkdownReport.render(record).contains("\\[+50.0, +75.0\\]"))
  }
}

@Suite struct ReferenceReportTests {
  /// All three forms of a report say how far attacks stay behind, and nothing where the plan did not ask.
  @Test func referencesAreShown() {
    var record = SyntheticRecord.record()
    for text in [HTMLReport(record: record).render(), MarkdownReport.render(record), TerminalSummary.render(record)] {
      #expect(!text.contains("Bayes reference"))
    }
    record.references = [
      ReferenceResult(
        cell: "p1-<q9>", settings: [:], positions: 60, accuracy: 0.95, ci95: [0.9, 1],
        attacks: [.init(attack: "sequential-matching", accuracy: 0.9333, shortfall: 0.0167, ci95: [-0.0167, 0.05])], seconds: 1)
    ]
    for text in [HTMLReport(record: record).render(), MarkdownReport.render(record), TerminalSummary.render(record)] {
      #expect(text.contains("Bayes reference") && text.contains("1.7"))
    }
    #expect(!HTMLReport(record: record).render().contains("<q9>"))
  }
}
