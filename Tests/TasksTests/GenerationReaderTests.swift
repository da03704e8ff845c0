import Diagnostics
import Foundation
import Tasks
import Testing

@Suite struct GenerationReaderTests {
  @Test func aclsumGivesOneExampleAnAspect() throws {
    let examples = try generationSample(.aclsum)
    #expect(examples.map(\.id) == ["P99-1001/challenge", "P99-1001/approach", "P99-1001/outcome", "P99-1002/outcome"])
    #expect(examples.map(\.source) == ["P99-1001", "P99-1001", "P99-1001", "P99-1002"])
    #expect(examples[1].prompt == "Paper: We parse . It works . Parsing is hard .\nSummary of the approach in one sentence:")
    #expect(examples.map(\.references) == [[" Parsing is hard."], [" They parse."], [" It works."], [" Nothing."]])
  }

  @Test func debianJoinsParagraphsAndGroupsBySharedBeginnings() throws {
    let examples = try generationSample(.debian)
    #expect(examples.map(\.id) == ["tidy/0123", "tidy-doc/4567", "other/cdef"])
    #expect(examples.map(\.source) == ["tidy/0123", "tidy/0123", "other/cdef"])
    #expect(examples[0].prompt == "Description: Tidy puts things in order.\nIt has:\n* shelves;\n* boxes.\nSynopsis:")
    #expect(examples.map(\.answer) == [" tool that tidies", " tool that tidies (manual)", " something else"])
    let text = (generationSamples[.debian] ?? "").replacingOccurrences(of: "\n", with: "\r\n")
    #expect(try GenerationTask.debian.examples(of: Array("\u{FEFF}\(text)".utf8), named: "f") == examples)
  }

  @Test func coqaKeepsTheConversation() throws {
    let examples = try generationSample(.coqa)
    #expect(examples.map(\.id) == ["3abc/1", "3abc/2", "3def/1"] && examples.map(\.source) == ["3abc", "3abc", "3def"])
    #expect(examples[0].prompt == "Passage: Ann has a cat.\nIt is red.\nQ: Who has a cat?\nA:")
    #expect(examples[1].prompt == examples[0].prompt + " Ann\nQ: What colour is it?\nA:")
    #expect(examples.map(\.references) == [[" Ann", " Ann does", " It's red."], [" Red", " red", " deep red"], [" Bob"]])
  }

  @Test func chitchatPredictsTheNextTurn() throws {
    let examples = try generationSample(.chitchat)
    #expect(examples.map(\.id) == [2, 4, 5, 6, 7, 8, 9].map { "c2/\($0)" } && Set(examples.map(\.source)) == ["c2"])
    #expect(examples.map(\.answer) == [" Hi you", " Fine", " 5", " 6", " 7", " 8", " 9"])
    #expect(examples[0].prompt == "A: Hello there\nB:" && examples[1].prompt == "A: Hello there\nB: Hi you\nA:")
    #expect(examples[6].prompt == "B: Hi you\nA: Fine\nB: 5\nA: 6\nB: 7\nA: 8\nB:")
  }

  @Test func xsumReadsItsParts() throws {
    let split = #"{"test": [], "validation": ["2"], "train": ["3", "1"]}"#
    let empty = "[SN]URL[SN]\n[SN]TITLE[SN]\n[SN]FIRST-SENTENCE[SN]\nx\n[SN]RESTBODY[SN]\nEmail\n"
    for prefix in ["", "bbc-summary-data/"] {
      let files = [xsumSplit: split, "\(prefix)1.summary": xsumArticle, "\(prefix)2.summary": xsumArticle, "\(prefix)3.summary": empty]
      try withFolder(files) { folder in
        let train = try GenerationTask.xsum.examples(.train, at: folder)
        #expect(train.map(\.id) == ["1"] && train.map(\.source) == ["1"] && train.map(\.references) == [[" A river has flooded a town."]])
        let body = "The river rose [SN] at night.\n\"It was fast,\" a woman said."
        #expect(train[0].prompt == "Article: \(body)\nSummary in one sentence:")
        #expect(try GenerationTask.xsum.examples(.validation, at: folder + "/").map(\.id) == ["2"])
        #expect(throws: Fault.self) { try GenerationTask.xsum.examples(.test, at: folder) }
        #expect(try GenerationTask.xsum.examples(at: folder).map(\.id) == ["1", "2"])
        let drawn = try GenerationSplit(.xsum, at: folder, validation: 0.5, seed: 1)
        #expect(drawn.train.map(\.id) == ["1"] && drawn.validation.map(\.id) == ["2"])
      }
    }
  }

  @Test func aFolderOfACLSumCarriesParts() throws {
    let lines = (generationSamples[.aclsum] ?? "").split(separator: "\n").map(String.init)
    let test = lines[1].replacingOccurrences(of: "1002", with: "1003")
    try withFolder(["train.jsonl": lines[0], "val.jsonl": lines[1], "test.jsonl": test]) { folder in
      #expect(try GenerationTask.aclsum.examples(at: folder).map(\.source).suffix(2) == ["P99-1002", "P99-1003"])
      #expect(try GenerationTask.aclsum.examples(.test, at: folder).map(\.source) == ["P99-1003"])
      #expect(GenerationTask.aclsum.hasParts(at: folder) && !GenerationTask.aclsum.hasParts(at: folder + "/val.jsonl"))
      let split = try GenerationSplit(.aclsum, at: folder, validation: 0.5, seed: 1)
      #expect(split.train.count == 3 && split.validation.map(\.id) == ["P99-1002/outcome"])
      #expect(try GenerationTask.aclsum.examples(at: folder + "/val.jsonl").count == 1)
      let fault = #expect(throws: Fault.self) { try GenerationTask.aclsum.examples(.train, at: folder + "/val.jsonl") }
      #expect(fault?.message == "the data of aclsum carries no parts")
    }
    try withFolder(["train.jsonl": lines[0], "val.jsonl": lines[0], "test.jsonl": test]) { folder in
      let shared = #expect(throws: Fault.self) { try GenerationSplit(.aclsum, at: folder, validation: 0.5, seed: 1) }
      #expect(shared?.message == "P99-1001 is in two parts" && shared?.location == folder)
      #expect(throws: Fault.self) { try GenerationTask.aclsum.examples(at: folder) }
    }
  }

  @Test(arguments: GenerationTask.allCases) func promptsAndReferencesMeetAtABlank(_ task: GenerationTask) throws {
    for example in task == .xsum ? [] : try generationSample(task) {
      #expect(example.prompt.last?.isWhitespace == false)
      for text in example.references { #expect(text.hasPrefix(" ") && text.count > 1 && !text.contains { $0.isNewline }) }
    }
    #expect(try GenerationTask.named(task.rawValue) == task && !task.metrics.isEmpty)
  }

  @Test func wholeSourcesAreDrawn() throws {
    let examples = (0..<200).map { GenerationExample(id: "\($0)", source: "s\($0 / 4)", prompt: "?", references: [" x"]) }
    let split = try GenerationSplit(examples, validation: 0.2, seed: 3)
    #expect(split.validation.count == 40 && Set(split.train + split.validation) == Set(examples))
    #expect(Set(split.train.map(\.source)).isDisjoint(with: split.validation.map(\.source)))
    #expect(try GenerationSplit(examples, validation: 0.2, seed: 3) == split)
    #expect(try GenerationSplit(examples, validation: 0.2, seed: 4) != split)
    #expect(throws: Fault.self) { try GenerationSplit(examples, validation: 1, seed: 3) }
    #expect(throws: Fault.self) { try GenerationSplit(Array(examples.prefix(3)), validation: 0.5, seed: 3) }
  }
}
