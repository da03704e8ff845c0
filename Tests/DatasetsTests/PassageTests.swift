import Datasets
import Diagnostics
import Fetching
import Foundation
import Testing

@Suite struct PassageTests {
  let sources = (0..<6).map { SourceText(id: "s\($0)", group: "g\($0)", text: prose(UInt64($0) + 1, sentences: 200)) }

  @Test func lengthsLieInTheRangeAndPassagesAreRunsOfWords() throws {
    let passages = try PassageSampling(count: 60, minTokens: 32, maxTokens: 64, seed: 1).passages(from: sources, tokenize: fourBytes)
    #expect(passages.count == 60 && Set(passages.map(\.id)).count == 60)
    for passage in passages {
      #expect((32...64).contains(fourBytes(passage.text).count))
      let source = sources.first { passage.id.hasPrefix($0.id + "/") }
      let flat = source?.text.split(whereSeparator: \.isWhitespace).joined(separator: " ") ?? ""
      #expect(flat.contains(passage.text))
      #expect(passage.text.first?.isUppercase == true)
    }
    // Most end where a sentence ends; lengths are spread.
    #expect(passages.filter { $0.text.hasSuffix(".") }.count > 30)
    #expect(Set(passages.map { fourBytes($0.text).count }).count > 10)
  }

  @Test func theSeedDecidesAndAPrefixStaysAPrefix() throws {
    func draw(_ count: Int, _ seed: UInt64) throws -> [TextDocument] {
      try PassageSampling(count: count, minTokens: 8, maxTokens: 40, seed: seed).passages(from: sources, tokenize: fourBytes)
    }
    #expect(try draw(20, 1) == draw(20, 1))
    #expect(try Array(draw(20, 1).prefix(7)) == draw(7, 1))
    #expect(try draw(20, 1) != draw(20, 2))
  }

  @Test func passagesDoNotOverlap() throws {
    let one = [sources[0]]
    let passages = try PassageSampling(count: 30, minTokens: 20, maxTokens: 40, seed: 3).passages(from: one, tokenize: fourBytes)
    let ranges = passages.map { passage -> Range<Int> in
      let start = Int(passage.id.split(separator: "w").last ?? "") ?? -1
      return start..<(start + passage.text.split(separator: " ").count)
    }.sorted { $0.lowerBound < $1.lowerBound }
    for (a, b) in zip(ranges, ranges.dropFirst()) { #expect(a.upperBound <= b.lowerBound) }
  }

  @Test func whenNothingFitsItSaysSo() throws {
    let short = [SourceText(id: "a", group: "a", text: "Too short.")]
    let fault = #expect(throws: Fault.self) {
      try PassageSampling(count: 1, minTokens: 32, maxTokens: 64, seed: 1).passages(from: short, tokenize: fourBytes)
    }
    #expect(fault?.code == .invalidData && fault?.message.contains("only 0 passages") == true)
    #expect(throws: Fault.self) {
      try PassageSampling(count: 1, minTokens: 1, maxTokens: 2, seed: 1).passages(from: [], tokenize: fourBytes)
    }
    let empty = [SourceText(id: "a", group: "a", text: "[Laughter]\n\n")]
    #expect(throws: Fault.self) {
      try PassageSampling(count: 1, minTokens: 1, maxTokens: 2, seed: 1).passages(from: empty, tokenize: fourBytes)
    }
  }

  @Test func abbreviationsInitialsAndDirectionsDoNotEndSentences() throws {
    let text = "[Applause] Mr. Brown of the U.S. Army met J. Smith today. (He agreed.) \"Yes,\" he said. then 5 went home."
    let all = (1...40).compactMap { seed in
      try? PassageSampling(count: 1, minTokens: 1, maxTokens: 3, seed: UInt64(seed)).passages(
        from: [SourceText(id: "a", group: "a", text: text)], tokenize: { $0.split(separator: " ").map { _ in 1 } }
      ).first?.text
    }
    let begins = Set(all.compactMap { $0.split(separator: " ").first.map(String.init) })
    #expect(begins == ["Mr.", "(He", "\"Yes,\""])
  }

  @Test func theTwoHalvesShareNoGroupAndAreBalanced() {
    let names = (0..<2_000).map { "group-\($0)" }
    let mine = names.filter { SourceSplit(ofGroup: $0) == .private }.count
    #expect((900...1_100).contains(mine))
    #expect(SourceSplit(ofGroup: "1973-Nixon") == SourceSplit(ofGroup: "1973-Nixon"))
  }

  @Test func theCatalogIsConsistent() throws {
    for manifest in DatasetCatalog.manifests { try manifest.validate() }
    #expect(Set(DatasetCatalog.all.map(\.name)).count == DatasetCatalog.all.count)
    #expect(DatasetCatalog.splits["state-of-the-union"] == ["private", "public"])
    let fault = #expect(throws: Fault.self) { try DatasetCatalog.dataset(named: "state-of-union") }
    #expect(fault?.hint == "did you mean \"state-of-the-union\"?")
    #expect(try DatasetCatalog.dataset(named: "chitchat").name == "chitchat")
  }

  /// Every file of Sources/Datasets that defines a data set is in the catalog.
  @Test func noDatasetIsForgotten() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let folder = root.appending(path: "Sources/Datasets")
    let catalog = try String(contentsOf: folder.appending(path: "Catalog.swift"), encoding: .utf8)
    for file in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
      for match in text.matches(of: /package static let (\w+)(?: = TextDataset\(|: TextDataset = )/) {
        #expect(catalog.contains("    .\(match.1),"), "add to Catalog.swift: .\(match.1),")
      }
    }
  }

  @Test func readingTheSpeechesFormat() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "speeches-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.createDirectory(at: folder.appending(path: "speeches"), withIntermediateDirectories: true)
    let table = "fileid,year,is_sotu,title\r\n1900-A-1,1900,True,\"one, two\"\n1900-A-2,1900,False,x\n1901-B-1,1901,True,y\n"
    try Data(table.utf8).write(to: folder.appending(path: "metadata.csv"))
    for id in ["1900-A-1", "1900-A-2", "1901-B-1"] {
      try Data("Text of \(id).".utf8).write(to: folder.appending(path: "speeches/\(id).txt"))
    }
    let read = try #require(TextDataset.stateOfTheUnion.read)
    let sources = try read(folder)
    #expect(sources.map(\.id) == ["1900-A-1", "1901-B-1"] && sources.map(\.group) == ["1900-A", "1901-B"])
    try FileManager.default.removeItem(at: folder.appending(path: "speeches/1901-B-1.txt"))
    #expect(throws: Fault.self) { try read(folder) }
  }

  @Test func readingTheConversationsFormat() throws {
    let json = #"{"b": {"messages": [[{"text": "Hello"}, {"text": "you"}], [{"text": "Hi"}]], "ratings": {}}, "a": {"messages": []}}"#
    let read = try #require(TextDataset.chitchat.read)
    let sources = try withFile("dataset.json", Array(json.utf8)) { try read(URL(fileURLWithPath: $0)) }
    #expect(sources.map(\.text) == ["", "Hello you\nHi"])
    #expect(throws: Fault.self) {
      try withFile("dataset.json", Array("[]".utf8)) { try read(URL(fileURLWithPath: $0)) }
    }
  }
}
