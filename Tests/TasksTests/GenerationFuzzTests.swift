import Diagnostics
import Foundation
import Tasks
import Testing

@Suite struct GenerationFuzzTests {
  /// Changed, cut, doubled and inserted bytes.
  private func mutated(_ valid: [UInt8], _ draws: inout Draws) -> [UInt8] {
    let texts = ["}", "\"", "\\u", "-", "9999999999999999999", "[[", "null", "\u{0301}", "\t", "[SN]", "\n\n", ":", " .\n", "1e400", "/"]
    let odd = texts.map { Array($0.utf8) } + [[0xC3]]
    var bytes = valid
    for _ in 0...draws.below(3) {
      let at = draws.below(bytes.count)
      switch draws.below(4) {
      case 0: bytes[at] = UInt8(draws.below(256))
      case 1: bytes.removeSubrange(at..<max(at, min(bytes.count - 1, at + draws.below(6))))
      case 2: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 9)], at: draws.below(bytes.count))
      default: bytes.insert(contentsOf: odd[draws.below(odd.count)], at: at)
      }
    }
    return bytes
  }

  /// Mutations give examples or a `Fault`, never another error or a trap.
  @Test func mutatedFilesParseOrFault() throws {
    var draws = Draws(state: 11)
    var parsed = 0
    for (task, text) in generationSamples.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      for _ in 0..<600 {
        do {
          let examples = try task.examples(of: mutated(Array(text.utf8), &draws), named: "f")
          #expect(examples.allSatisfy { !$0.references.isEmpty && $0.prompt.last?.isWhitespace == false })
          parsed += 1
        } catch { #expect(error is Fault) }
      }
    }
    #expect(parsed > 300)
  }

  @Test func mutatedArticlesParseOrFault() throws {
    var draws = Draws(state: 12)
    let split = #"{"test": [], "validation": [], "train": ["1"]}"#
    try withFolder([xsumSplit: split]) { folder in
      var parsed = 0
      for turn in 0..<400 {
        let changesSplit = turn % 4 == 0
        let article = Array(xsumArticle.utf8)
        try Data(changesSplit ? mutated(Array(split.utf8), &draws) : Array(split.utf8)).write(to: URL(filePath: "\(folder)/\(xsumSplit)"))
        try Data(changesSplit ? article : mutated(article, &draws)).write(to: URL(filePath: "\(folder)/1.summary"))
        do { parsed += try GenerationTask.xsum.examples(.train, at: folder).count } catch { #expect(error is Fault) }
      }
      #expect(parsed > 100)
    }
  }
}
