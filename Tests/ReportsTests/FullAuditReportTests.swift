import Audit
import Foundation
import Reports
import Testing

/// The channel table and the picture of leakage beside task accuracy.
@Suite struct FullAuditReportTests {
  private func record() -> AuditRecord {
    var record = SyntheticRecord.record()
    var cells: [ChannelFinding] = []
    for result in record.results where result.metric == "token_accuracy" && result.attack == SyntheticRecord.attacks.last?.name {
      var finding = ChannelFinding(
        channel: Channel.inputHiddenStates.rawValue, cell: result.cell, settings: result.settings, metric: "token_accuracy", attacks: 1)
      (finding.bestAttack, finding.mean, finding.ci95, finding.seconds) = (result.attack, result.mean, result.ci95, 3)
      finding.notAsked = ["pooled-inverter", "anchors"]
      finding.inapplicable = ["averaging: every text is sent <once>"]
      cells.append(finding)
    }
    record.channels = cells + [ChannelFinding(channel: Channel.keys.rawValue, notApplicable: "a <b> does not come to see it")]
    record.task = [(1, 0.0, 0.9), (1, 0.9, 0.8), (2, 0.9000001, 0.7), (30, 0, 0.95)].map {
      TaskAccuracy(
        task: "sentiment", metric: "accuracy", partitionInput: $0.0, partitionOutput: 1, relative: $0.1, seed: 1, before: 0.5, after: $0.2,
        ci95: [$0.2 - 0.05, $0.2 + 0.05], examples: 400, source: "somewhere")
    }
    record.checkpoint.blocks = 30
    return record
  }

  @Test func drawsLeakageAndAccuracyOverNoiseAndDepth() throws {
    let page = try #require(PageParser.parse(HTMLReport(record: record()).render()))
    let numbers = [0.9, 0.7, 0.95].map { NumberText.percent($0) }
    for part in ["Leakage and task accuracy", "p = 1", "p = 2", "sentiment", "somewhere"] + numbers {
      #expect(page.text.contains(part), "\(part)")
    }
    // A level measured as 0.9000001 is the level 0.9: no row twice. Four levels at p = 1 and 2, and nothing where p has no task.
    let rows = page.attributes.filter { $0.element == "svg" && $0.value.contains("Leakage and task accuracy") }
    #expect(rows.count == 2)
  }

  @Test func saysOfEveryChannelWhatItGivesAwayOrWhyNothingIsSaid() throws {
    let page = try #require(PageParser.parse(HTMLReport(record: record()).render()))
    #expect(page.text.contains("keys in the server's cache"))
    #expect(page.text.contains("not applicable: a <b> does not come to see it"))
    #expect(page.text.contains("that the plan left out:") && page.text.contains("pooled-inverter, anchors."))
    #expect(page.text.contains("have nothing to do in this plan:") && page.text.contains("averaging: every text is sent <once>."))
  }

  /// What is drawn in the page is in the plain reports too, with what is missing.
  @Test func everyReportHasTheChannelsAndThePicture() throws {
    var record = record()
    let page = try #require(PageParser.parse(HTMLReport(record: record).render()))
    let markdown = MarkdownReport.render(record)
    for part in [
      "What each channel gives away", "not applicable: a &lt;b&gt; does not come to see it", "pooled-inverter, anchors",
      "averaging: every text is sent &lt;once&gt;",
      "Leakage and task accuracy",
    ] {
      #expect(markdown.contains(part), "\(part)")
    }
    let weights = "The attacked weights are the published ones"
    for note in ["No task accuracy was measured for p = 1 at ", "2.3, 4.5; p = 3 at every level, so it is not drawn.", weights] {
      #expect(page.text.contains(note) && markdown.contains(note), "\(note)")
    }
    // A terminal shows the table where there is more than the states.
    #expect(!TerminalSummary.render(record, width: 100).contains("above guess"))
    var keys = try #require(record.channels?.first)
    (keys.channel, keys.bestAttack, keys.mean, keys.gainOverBaseline) = (Channel.keys.rawValue, "cache-collision", 0.75, 0.7)
    record.channels = record.channels!.filter { $0.channel != keys.channel } + [keys]
    let shown = TerminalSummary.render(record, width: 120)
    #expect(shown.contains("server/keys") && shown.contains("cache-collision") && shown.contains("75.0") && shown.contains("above guess"))
    #expect(shown.split(separator: "\n").allSatisfy { $0.count <= 120 })
    if case .map(var plan) = record.plan {
      plan["victim"] = .map([:])
      record.plan = .map(plan)
    }
    #expect(!MarkdownReport.render(record).contains(weights))
  }

  @Test func aRecordWithoutTaskHasNoPicture() throws {
    var record = record()
    record.task = nil
    #expect(!HTMLReport(record: record).render().contains("id=\"trade\""))
    record.channels = nil
    #expect(!HTMLReport(record: record).render().contains("id=\"channels\""))
  }

  /// What is computed from states cannot tell more than they do: a record that says so is not valid.
  @Test func aBrokenInequalityInvalidatesTheRun() throws {
    func check(_ accuracy: Double, low: Double) -> InternalChannelCheck {
      InternalChannelCheck(
        cell: "c", channel: Channel.keys.rawValue, attack: "cache-collision", accuracy: accuracy, stateAccuracy: 0.5, bound: 0.6, low: low)
    }
    let good = Controls(internalChannels: [check(0.55, low: 0.5)])
    let bad = Controls(internalChannels: [check(0.9, low: 0.8)])
    #expect(good.problems.isEmpty)
    #expect(bad.problems.count == 1 && bad.problems[0].contains("cache-collision"))
    let copy = try JSONDecoder().decode(Controls.self, from: JSONEncoder().encode(bad))
    #expect(copy == bad)
    var record = record()
    record.controls = bad
    #expect(HTMLReport(record: record).render().contains("beats"))
  }
}
