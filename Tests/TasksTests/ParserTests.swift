import Diagnostics
import Foundation
import Tasks
import Testing

@Suite struct ParserTests {
  @Test func yesOrNoTasks() throws {
    let boolq = try sample(.boolq)
    #expect(boolq.map(\.prompt) == ["Passage: The lake is 90 m deep.\nQuestion: is the lake deep?\nAnswer:"])
    #expect(boolq.map(\.answer) == [" yes"] && boolq.map(\.choices) == [[" no", " yes"]] && boolq.map(\.id) == ["0"])
    #expect(try sample(.rte).map(\.answer) == [" yes"])
    let wic = try sample(.wic)
    #expect(wic.map(\.answer) == [" no"] && wic.map(\.group) == ["4"] && wic.map(\.source) == ["4"])
    #expect(wic[0].prompt.contains("\"bank\"") && wic[0].prompt.hasSuffix("\nAnswer:"))
  }

  @Test func severalLabels() throws {
    let cb = try sample(.cb)
    #expect(cb.map(\.answer) == [" maybe"] && cb.map(\.label) == [2])
    #expect(cb[0].prompt.contains("Hypothesis: it rained.\n"))
    let copa = try sample(.copa)
    #expect(copa.map(\.answer) == [" A"] && copa[0].prompt.contains("A: It broke.\nB: It sang.\n"))
    #expect(copa[0].prompt.contains("effect"))
  }

  @Test func thePronounIsMarkedAtItsIndex() throws {
    let wsc = try sample(.wsc)
    #expect(wsc[0].prompt.hasPrefix("Passage: Ann thanked Eve, for she (\"*she*!\") had helped.\n") && wsc[0].label == 1)
    // A count that is wrong finds the nearest; the pronoun at the text's end keeps its full stop.
    let line = #"{"text": "He saw  him.", "target": {"span2_index": 9, "span1_text": "He", "span2_text": "Him"}, "idx": 0, "label": false}"#
    #expect(try SuperGLUETask.wsc.examples(inLine: line, at: "x:1")[0].prompt.hasPrefix("Passage: He saw *him*.\n"))
    let extreme = line.replacingOccurrences(of: "9", with: "\(Int.min)")
    #expect(try SuperGLUETask.wsc.examples(inLine: extreme, at: "x:1").count == 1)
  }

  @Test func multiRCGivesOneExampleAnOption() throws {
    let options = try sample(.multirc)
    #expect(options.map(\.label) == [1, 0, 0, 1] && options.map(\.id) == ["6-0-0", "6-0-1", "6-0-2", "6-1-3"])
    #expect(options.map(\.group) == ["6-0", "6-0", "6-0", "6-1"] && Set(options.map(\.source)) == ["6"])
    #expect(
      options[0].prompt
        == "Passage: Tom ate figs and nuts.\nQuestion: What did Tom eat?\nIs \"Figs\" a correct answer, yes or no?\nAnswer:")
  }

  @Test func recordGivesTheEntitiesAsChoices() throws {
    let queries = try sample(.record)
    #expect(queries.map(\.id) == ["7-0", "7-1"] && queries.map(\.source) == ["7", "7"])
    #expect(queries[0].choices == [" Zoë", " Li", " Rome"] && queries[0].label == 0 && queries[0].accepted == [0, 1])
    #expect(queries[1].answer == " Rome" && queries[1].accepted == [2])
    #expect(queries[0].prompt.hasPrefix("Passage: Zoë met Li in Rome.\nLi left\nSentence: ____ went home.\n"))
  }

  @Test func lineEndsBlankLinesAndMarksAreFine() throws {
    let line = sampleLines[.boolq] ?? ""
    let second = line.replacingOccurrences(of: "\"idx\": 0", with: "\"idx\": 1")
    let expected = try SuperGLUETask.boolq.examples(of: Array("\(line)\n\(second)\n".utf8), named: "a")
    #expect(expected.map(\.id) == ["0", "1"])
    for text in ["\(line)\r\n\(second)\r\n", "\(line)\n\(second)", "\(line)\r\n\(second)", "\u{FEFF}\(line)\n\n \n\(second)\n\n"] {
      #expect(try SuperGLUETask.boolq.examples(of: Array(text.utf8), named: "a") == expected)
    }
  }

  @Test func filesAreReadAndMissingOnesNamed() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tasks-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "val.jsonl")
    try Data((sampleLines[.rte] ?? "").utf8).write(to: file)
    #expect(try SuperGLUETask.rte.examples(at: file.path) == sample(.rte))
    let absent = #expect(throws: Fault.self) { try SuperGLUETask.rte.examples(at: file.path + "x") }
    #expect(absent?.code == .missingInput && absent?.location == file.path + "x")
    #expect(throws: Fault.self) { try SuperGLUETask.rte.examples(at: folder.path) }
  }

  @Test func sentimentKeepsTheDecided() throws {
    let text = "1\t2.25\tA joy.\r\n2\t-0.6\tMeh.\r\n3\t-1.0\tDull,\tlong.\r\n4\t0.99\tFine."
    let reviews = try SentimentTask.examples(of: Array(text.utf8), named: "r.txt")
    #expect(reviews.map(\.id) == ["1", "3"] && reviews.map(\.answer) == [" positive", " negative"])
    #expect(reviews.map(\.prompt) == ["Review: A joy.\nSentiment:", "Review: Dull,\tlong.\nSentiment:"])
  }

  @Test func tasksHaveNames() throws {
    #expect(try SuperGLUETask.named("multirc") == .multirc)
    let fault = #expect(throws: Fault.self) { try SuperGLUETask.named("multrc") }
    #expect(fault?.hint == "did you mean \"multirc\"?")
  }
}
