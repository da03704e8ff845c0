import Audit
import Diagnostics
import Foundation
import Reports
import Testing

@Suite struct InferenceReportTests {
  private func record() -> AuditRecord {
    var record = SyntheticRecord.record(cuts: [1])
    let cell = record.results[0].cell
    var game = InferenceResult(
      cell: cell, settings: [:], test: "distinguishing-game", question: .sentCandidate, channel: "input_cut/hidden_states", n: 1000,
      positives: 497, seconds: 2)
    (game.auc, game.aucCI95, game.accuracy, game.accuracyCI95, game.majorityBaseline) = (0.91, [0.9, 0.92], 0.83, [0.81, 0.85], 0.503)
    game.atOnePercent = .init(rate: 0.4, ci95: [0.35, 0.45], isResolved: true)
    game.atOnePerMille = .init(rate: 0.2, ci95: [0.16, 0.24], isResolved: false)
    (game.epsilonLower, game.epsilonClaimed, game.delta, game.bits) = (2.5, 1, 1e-5, 0.4)
    game.closedForm = .init(mu: 1.9, auc: 0.911, truePositiveRate: 0.35)
    var control = InferenceResult(
      cell: cell, settings: [:], test: "attribute", question: .attribute, channel: "input_cut/hidden_states", isControl: true, n: 40,
      positives: 20, seconds: 1)
    (control.auc, control.aucCI95) = (0.5, [0.4, 0.6])
    record.inference = [game, control]
    return record
  }

  @Test func roundTripsAndRefusesNonsense() throws {
    let good = record()
    let data = try RecordFile.encode(good)
    #expect(try RecordFile.decode(data) == good)
    #expect(String(decoding: data, as: UTF8.self).contains("\"epsilon_lower\" : 2.5"))
    // A record without inference does not mention it.
    #expect(try !String(decoding: RecordFile.encode(SyntheticRecord.record()), as: UTF8.self).contains("inference"))
    let breaks: [(inout InferenceResult) -> Void] = [
      { $0.auc = 1.5 }, { $0.aucCI95 = [0.9, 0.8] }, { $0.aucCI95 = [0.9] }, { $0.epsilonLower = -1 }, { $0.positives = 2000 },
      { $0.seconds = .infinity }, { $0.settings = ["x": .number(.nan)] },
    ]
    for broken in breaks {
      var bad = good
      broken(&bad.inference![0])
      #expect(throws: Fault.self) { try RecordFile.encode(bad) }
    }
  }

  /// A plan that reads no text is not one that failed to.
  @Test func plansOfInferenceAloneSaySo() {
    var alone = record()
    alone.results = []
    #expect(TerminalSummary.render(alone).contains("No attack was asked to read text; what can be inferred"))
    alone.inference = []
    #expect(TerminalSummary.render(alone).contains("supports no conclusion"))
  }

  @Test func refutedGuaranteesStandOut() throws {
    let page = try #require(PageParser.parse(HTMLReport(record: record()).render()))
    for part in [
      "What can be inferred", "Which of two known texts was sent?", "FAIL", "ε of at least 2.50, the defense claims 1",
      "0.910[0.900, 0.920]", "2.50 FAIL",
      "theory gives AUC 0.911", "attribute (control)", "497 of 1000",
    ] {
      #expect(page.text.contains(part), "\(part)")
    }
    let markdown = MarkdownReport.render(record())
    #expect(markdown.contains("## What can be inferred") && markdown.contains("2.50 FAIL") && markdown.contains("theory gives"))
    #expect(TerminalSummary.render(record()).contains("FAIL: distinguishing-game"))
    var honest = record()
    honest.inference![0].epsilonClaimed = 3
    #expect(!MarkdownReport.render(honest).contains("FAIL"))
    honest.inference![1].aucCI95 = [0.51, 0.7]
    #expect(MarkdownReport.render(honest).contains("does better than chance"))
    let without = try #require(PageParser.parse(HTMLReport(record: SyntheticRecord.record()).render()))
    #expect(!without.text.contains("What can be inferred"))
  }

  @Test func hostileNamesStayText() throws {
    var record = record()
    record.inference![0].test = "</td><script>x</script>|\u{202E}"
    record.inference![0].cell = "<b>|"
    let page = try #require(PageParser.parse(HTMLReport(record: record).render()))
    #expect(page.elements["script"] == nil && page.text.contains("</td><script>x</script>|"))
    #expect(!MarkdownReport.render(record).contains("<script"))
  }
}
