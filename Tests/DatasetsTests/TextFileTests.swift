import Datasets
import Diagnostics
import Foundation
import Testing

private func load(
  _ name: String, _ text: some Sequence<UInt8>, column: String? = nil, limit: Int? = nil, min: Int = 1, max: Int = 1_000
) throws -> DocumentSet {
  try withFile(name, Array(text)) {
    try TextFile(path: $0, column: column).documents(limit: limit, minTokens: min, maxTokens: max, tokenize: fourBytes)
  }
}

@Suite struct TextFileTests {
  @Test func linesOfText() throws {
    let set = try load("a.txt", "\u{FEFF}first line\r\n\r\n  \nsecond é line\nlast".utf8)
    #expect(
      set.documents == [
        TextDocument(id: "line-1", text: "first line"), TextDocument(id: "line-4", text: "second é line"),
        TextDocument(id: "line-5", text: "last"),
      ])
    #expect(set.name == "a.txt" && set.leftOut == 0 && set.warnings.isEmpty)
    #expect(set.sha256.count == 64)
    #expect(try set.sha256 != load("a.txt", "other".utf8).sha256)
  }

  @Test func jsonLines() throws {
    let text = #"{"text": "one", "body": "eins"}"# + "\r\n\n" + #"{"body": "zwei \"x\"\n\u00e9", "n": 3, "deep": {"a": [1]}}"#
    #expect(try load("a.jsonl", text.utf8, column: "body").documents.map(\.text) == ["eins", "zwei \"x\"\né"])
    #expect(try load("a.jsonl", text.utf8, limit: 1).documents.map(\.text) == ["one"])
  }

  @Test func commaSeparated() throws {
    let text = "id,text\r\n1,\"a, \"\"b\"\"\nc\"\r\n\r\n2,plain\n3,\"\"\n4,last"
    let set = try load("a.csv", text.utf8)
    #expect(set.documents.map(\.text) == ["a, \"b\"\nc", "plain", "last"])
    #expect(set.documents.map(\.id) == ["record-1", "record-2", "record-4"])
    #expect(set.leftOut == 1 && set.warnings.count == 1)
    #expect(try load("a.csv", "only\nx\ny\n".utf8).documents.map(\.text) == ["x", "y"])
    #expect(try load("a.csv", text.utf8, column: "id").documents.map(\.text) == ["1", "2", "3", "4"])
  }

  @Test func limitsAndShortening() throws {
    let text = "one\naa bb cc dd ee\nabcdefghijklmnop\nff gg hh\n"
    let set = try load("a.txt", text.utf8, limit: 3, min: 2, max: 3)
    #expect(set.documents.map(\.text) == ["aa bb cc", "abcdefghijkl", "ff gg hh"])
    #expect(set.leftOut == 1 && set.shortened == 2)
    let long = String(repeating: "wörd ", count: 100_000)
    let cut = try load("a.txt", long.utf8, max: 10).documents[0].text
    #expect(cut == Array(repeating: "wörd", count: 5).joined(separator: " "))
    #expect(try load("a.txt", String(repeating: "é", count: 10_000).utf8, max: 5).documents[0].text.count == 10)
  }

  @Test(arguments: [
    ("a.txt", "", nil, nil, "holds no document"), ("a.txt", "\n\n \n", nil, nil, "holds no document"),
    ("a.txt", "x\n", "text", nil, "has no column"), ("a.json", "{}", nil, nil, "are not read"),
    ("a.jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\"", nil, 2, "not valid JSON"), ("a.jsonl", "[1]", nil, 1, "not a JSON object"),
    ("a.jsonl", "{\"txt\": \"a\"}", nil, 1, "there is no key \"text\""), ("a.jsonl", "{\"text\": 3}", nil, 1, "is not text"),
    ("a.jsonl", "{\"text\": null}", nil, 1, "is not text"), ("a.jsonl", "{\"text\": \"\"}", nil, nil, "all 1 documents"),
    ("a.csv", "", nil, nil, "expected a heading"), ("a.csv", "txt,b\n1,2", nil, 1, "there is no column \"text\""),
    ("a.csv", "text,text\n1,2", nil, 1, "twice"), ("a.csv", "text,b\n1,2\n1\n", nil, 3, "has 1 fields"),
    ("a.csv", "text\n\"a\nb\n", nil, 2, "never closed"), ("a.csv", "text\n\"a\"b\n", nil, 2, "after a closing quote"),
    ("a.csv", "text\na\"b\n", nil, 2, "a quote inside"), ("a.csv", "text,b\n", nil, nil, "holds no document"),
  ])
  func errorsNameTheLine(_ name: String, _ text: String, _ column: String?, _ line: Int?, _ message: String) throws {
    let fault = #expect(throws: Fault.self) { try load(name, text.utf8, column: column) }
    #expect(fault?.code == .invalidData && fault?.message.contains(message) == true, "\(String(describing: fault))")
    if let line { #expect(fault?.location?.hasSuffix("\(name):\(line)") == true, "\(String(describing: fault))") }
  }

  @Test func hintsAndOtherWorlds() throws {
    let near = #expect(throws: Fault.self) { try load("a.csv", "id,txet\n1,2".utf8) }
    #expect(near?.hint == "did you mean \"txet\"?")
    let semicolons = #expect(throws: Fault.self) { try load("a.csv", "id;text\n1;2".utf8, column: "text") }
    #expect(semicolons?.hint == "the columns must be separated by commas")
    let latin = #expect(throws: Fault.self) { try load("a.txt", Array("ok\n".utf8) + [0x63, 0xE9, 0x0A]) }
    #expect(latin?.code == .invalidData && latin?.location?.hasSuffix("a.txt:2") == true)
    let wide = #expect(throws: Fault.self) { try load("a.txt", [0xFF, 0xFE, 0x41, 0x00]) }
    #expect(wide?.message.contains("UTF-16") == true)
    for path in ["/nonexistent/a.txt", "/tmp", "/dev/zero"] {
      let fault = #expect(throws: Fault.self) {
        try TextFile(path: path).documents(limit: nil, minTokens: 1, maxTokens: 2, tokenize: fourBytes)
      }
      #expect(fault?.code == .missingInput)
    }
  }

  /// A sparse file over 1 GiB is refused by its size, unread.
  @Test func hugeFilesAreRefusedUnread() throws {
    try withFile("a.txt", []) { path in
      let handle = FileHandle(forWritingAtPath: path)
      try handle?.truncate(atOffset: UInt64(TextFile.maximumBytes) + 1)
      try handle?.close()
      let fault = #expect(throws: Fault.self) {
        try TextFile(path: path).documents(limit: nil, minTokens: 1, maxTokens: 2, tokenize: fourBytes)
      }
      #expect(fault?.code == .invalidData && fault?.message.contains("more than") == true)
    }
  }

  @Test func mutatedFilesAreReadOrRefused() throws {
    var draws = Draws(state: 7)
    let seeds: [(String, [UInt8])] = [
      ("a.txt", Array("one é\r\ntwo 🦊\n\nthree".utf8)),
      ("a.jsonl", Array("{\"text\": \"a\\u00e9\"}\n{\"text\": \"b\", \"x\": [1, {}]}\n".utf8)),
      ("a.csv", Array("id,text\r\n1,\"a, \"\"b\"\"\nc\"\r\n2,plain\n".utf8)),
    ]
    var (read, refused) = (0, 0)
    for round in 0..<3_000 {
      var (name, bytes) = seeds[round % 3]
      name = "\(round).\(name)"
      for _ in 0...draws.below(3) {
        let at = draws.below(bytes.count)
        switch draws.below(3) {
        case 0: bytes[at] = UInt8(draws.below(256))
        case 1: bytes.insert(contentsOf: Array("\",\r\n{}[]\\u".utf8).shuffledOne(&draws), at: at)
        default: bytes.removeSubrange(at..<min(bytes.count, at + 1 + draws.below(5)))
        }
        if bytes.isEmpty { bytes = [0x22] }
      }
      do {
        _ = try load(name, bytes, max: 1 + draws.below(3))
        read += 1
      } catch is Fault { refused += 1 } catch { Issue.record("not a fault: \(error)") }
    }
    #expect(read > 300 && refused > 300)
    let deep = String(repeating: "[", count: 100_000)
    #expect(throws: Fault.self) { try load("a.jsonl", "{\"text\": \"a\", \"b\": \(deep)".utf8) }
  }
}

extension Array<UInt8> {
  fileprivate func shuffledOne(_ draws: inout Draws) -> [UInt8] { [self[draws.below(count)]] }
}
