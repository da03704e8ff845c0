import Diagnostics
import Foundation
import Tasks
import Testing

@Suite struct GenerationBrokenFileTests {
  /// The fault of the sample with `old` replaced by `new`.
  private func fault(_ task: GenerationTask, _ old: String, _ new: String) -> String? {
    let text = generationSamples[task] ?? ""
    let broken = text.replacingOccurrences(of: old, with: new)
    #expect(broken != text)
    return #expect(throws: Fault.self) { try task.examples(of: Array(broken.utf8), named: "f") }?.description
  }

  @Test func coqa() {
    #expect(fault(.coqa, "\"name\"", "}")?.hasPrefix("f: the file is not valid JSON") == true)
    #expect(fault(.coqa, "\"data\"", "\"stories\"") == "f: there is no key \"data\"")
    #expect(fault(.coqa, "\"Red\"", "7") == "f: \"data[0].answers[1].input_text\" is not text")
    #expect(fault(.coqa, "\"turn_id\": 1}]}", "\"turn_id\": \"1\"}]}") == "f: \"data[1].answers[0].turn_id\" is not a whole number")
    #expect(fault(.coqa, "\"story\": \"Bob ran.\"", "\"text\": \"\"") == "f: there is no key \"data[1].story\"")
    #expect(fault(.coqa, "Bob ran.", " \\n") == "f: story 3def: the story is empty")
    #expect(fault(.coqa, "3def", "3abc") == "f: story 3abc: the story is there already")
    #expect(fault(.coqa, "3def", "3/d") == "f: story 3/d: \"3/d\" is no id")
    let more = fault(.coqa, "\"Bob\", \"turn_id\": 1}", "\"Bob\", \"turn_id\": 1}, {\"input_text\": \"He\", \"turn_id\": 2}")
    #expect(more == "f: story 3def: \"answers\" has 2 answers to 1 questions")
    let fewer = fault(.coqa, ", {\"input_text\": \"red\", \"turn_id\": 2}", "")
    #expect(fewer == "f: story 3abc: \"additional_answers.0\" has 1 answers to 2 questions")
    #expect(fault(.coqa, "\"Bob\"", "\" \"") == "f: story 3def: turn 1 has no answer in \"answers\"")
    #expect(fault(.coqa, "deep red", "") == "f: story 3abc: turn 2 has no answer in \"additional_answers.1\"")
    #expect(fault(.coqa, "Who ran?", "") == "f: story 3def: the question of turn 1 is empty")
    #expect(fault(.coqa, "\"Bob\", \"turn_id\": 1", "\"Bob\", \"turn_id\": 2")?.contains("has turn 2 where the questions have 1") == true)
    #expect(fault(.coqa, "\"Who ran?\", \"turn_id\": 1", "\"Who ran?\", \"turn_id\": 3")?.contains("question 1 has the turn_id 3") == true)
  }

  @Test func aclsum() {
    #expect(fault(.aclsum, "P99-1002", "P99/1002") == "f:2: \"P99/1002\" is no id")
    #expect(fault(.aclsum, "\"outcome\": \"Nothing.\", ", "") == "f:2: the paper P99-1002 has no summary")
    #expect(fault(.aclsum, "Nothing.", " ") == "f:2: the summary of the outcome of P99-1002 is empty")
    #expect(fault(.aclsum, "\"No .\"", "") == "f:2: the paper P99-1002 has no text")
    #expect(fault(.aclsum, "\"No .\"", "1") == "f:2: \"sentences.abstract[0]\" is not text")
    #expect(fault(.aclsum, "\"highlights\": {}}", "\"high") == "f:1: the line is not valid JSON — one object a line")
    #expect(fault(.aclsum, "{\"outcome\": \"Nothing.\", \"challenge\": null}", "[]") == "f:2: \"summary\" is not an object")
    let twice = fault(.aclsum, "\"P99-1002\", \"summary\": {\"outcome\"", "\"P99-1001\", \"summary\": {\"outcome\"")
    #expect(twice == "f:2: the example P99-1001/outcome is there already, in line 1")
  }

  @Test func debian() {
    #expect(fault(.debian, "Package: other", "Paket: other") == "f:22: the stanza has no field Package")
    #expect(fault(.debian, "Description-en: something else", "Description: x")?.contains("f:22: other has no field Description-en") == true)
    #expect(fault(.debian, "something else", "") == "f:22: the synopsis of other is empty")
    #expect(fault(.debian, "Description-md5: cdef", "whatever")?.hasPrefix("f:23: the line is no field") == true)
    #expect(fault(.debian, "Description-md5: cdef", "Package: x") == "f:23: the field Package is there already")
    #expect(fault(.debian, "Package: other\n", " other\n") == "f:22: a continuation line begins the stanza")
    #expect(fault(.debian, "Package: other\nDescription-md5: cdef", "Package: tidy\nDescription-md5: 0123")?.contains("in line 1") == true)
    #expect(fault(.debian, "Package: other", "Package: a/b") == "f:22: \"a/b\" is no id")
    let packed = #expect(throws: Fault.self) { try GenerationTask.debian.examples(of: [0x04, 0x22, 0x4D, 0x18, 0x40], named: "x.lz4") }
    #expect(packed?.message == "the file is compressed with lz4" && packed?.hint?.contains("apt-helper cat-file") == true)
    let latin = #expect(throws: Fault.self) { try GenerationTask.debian.examples(of: Array("Package: x\n".utf8) + [0xE9], named: "f") }
    #expect(latin?.location == "f:2")
  }

  @Test func chitchat() {
    #expect(fault(.chitchat, "\"c2\"", "\"c/2\"") == "f: conversation c/2: \"c/2\" is no id")
    #expect(
      fault(.chitchat, "\"5\", \"sender\": \"v\"", "\"5\", \"sender\": \"w\"") == "f: conversation c2: a third person speaks in turn 5")
    #expect(
      fault(.chitchat, "\"Hello\", \"sender\": \"u\"", "\"Hello\", \"sender\": \"v\"")?.contains("two people speak in turn 1") == true)
    #expect(fault(.chitchat, "\"5\", \"sender\"", "\"5\", \"from\"") == "f: there is no key \"c2.messages[4][0].sender\"")
    #expect(fault(.chitchat, "\"c0\"", "c0")?.hasPrefix("f: the file is not valid JSON") == true)
    for text in ["{}", "{\"a\": {\"messages\": []}}"] {
      let empty = #expect(throws: Fault.self) { try GenerationTask.chitchat.examples(of: Array(text.utf8), named: "f") }
      #expect(empty?.description == "f: the file holds no example")
    }
    let array = #expect(throws: Fault.self) { try GenerationTask.chitchat.examples(of: Array("[]".utf8), named: "f") }
    #expect(array?.description == "f: the file is not a JSON object")
  }

  @Test func xsum() throws {
    func fault(_ article: String?, split: String = #"{"test": [], "validation": [], "train": ["1"]}"#) throws -> String? {
      var files = [xsumSplit: split]
      files["1.summary"] = article
      return try withFolder(files) { folder in
        let fault = #expect(throws: Fault.self) { try GenerationTask.xsum.examples(at: folder) }
        return fault?.description.replacingOccurrences(of: folder + "/", with: "")
      }
    }
    #expect(try fault(nil)?.hasPrefix("1.summary: there is no such article") == true)
    #expect(try fault(xsumArticle.replacingOccurrences(of: "RESTBODY", with: "RESTBODDY"))?.hasPrefix("1.summary:11: the section") == true)
    #expect(try fault(xsumArticle.replacingOccurrences(of: "TITLE", with: "URL")) == "1.summary:4: the section URL is there already")
    #expect(try fault("[SN]FIRST-SENTENCE[SN]\nx") == "1.summary: there is no section [SN]RESTBODY[SN]")
    #expect(try fault("x\n" + xsumArticle) == "1.summary:1: there is text before the first section")
    #expect(try fault("[SN]FIRST-SENTENCE[SN]\n[SN]RESTBODY[SN]\nx") == "1.summary: the first sentence is empty")
    #expect(try fault(xsumArticle, split: #"{"test": ["a/1"], "validation": [], "train": []}"#) == "\(xsumSplit): \"a/1\" is no id")
    #expect(try fault(xsumArticle, split: #"{"test": ["../1"], "validation": [], "train": []}"#) == "\(xsumSplit): \"../1\" is no id")
    #expect(try fault(xsumArticle, split: #"{"test": ["1"], "validation": [], "train": ["1"]}"#)?.contains("listed twice") == true)
    #expect(try fault(xsumArticle, split: #"{"test": [], "train": ["1"]}"#) == "\(xsumSplit): there is no key \"validation\"")
    #expect(try fault(xsumArticle, split: #"{"test": [], "validation": [], "train": [1]}"#) == "\(xsumSplit): \"train[0]\" is not text")
    #expect(try fault(xsumArticle, split: #"{"test": ["#)?.contains("not valid JSON") == true)
    let absent = try withFolder(["x": ""]) { folder in #expect(throws: Fault.self) { try GenerationTask.xsum.examples(.train, at: folder) }
    }
    #expect(absent?.code == .missingInput && absent?.location?.hasSuffix(xsumSplit) == true)
    #expect(throws: Fault.self) { try GenerationTask.xsum.examples(of: [], named: "f") }
  }

  @Test func absentFilesAndUnknownNames() {
    for task in GenerationTask.allCases {
      let absent = #expect(throws: Fault.self) { try task.examples(at: "/nonexistent/data") }
      #expect(absent?.code == .missingInput)
    }
    let name = #expect(throws: Fault.self) { try GenerationTask.named("xsun") }
    #expect(name?.hint == "did you mean \"xsum\"?")
  }
}
