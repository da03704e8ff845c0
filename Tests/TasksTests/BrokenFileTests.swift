import Diagnostics
import Foundation
import Tasks
import Testing

@Suite struct BrokenFileTests {
  /// The fault of a file whose line 2 is the sample with `old` replaced by `new`; line 1 is the sample with another `idx`.
  private func fault(_ task: SuperGLUETask, _ old: String, _ new: String) -> Fault? {
    let line = sampleLines[task] ?? ""
    let first = line.replacingOccurrences(of: "\"idx\": \(SuperGLUETask.allCases.firstIndex(of: task) ?? 0)", with: "\"idx\": 99")
    let broken = line.replacingOccurrences(of: old, with: new)
    #expect(broken != line && first != line)
    return #expect(throws: Fault.self) { try task.examples(of: Array("\(first)\n\(broken)\n".utf8), named: "val.jsonl") }
  }

  @Test func unknownLabelsNameTheLine() {
    #expect(fault(.cb, "neutral", "Neutral")?.description == unknown("Neutral", "contradiction, entailment, neutral"))
    #expect(fault(.rte, "\"entailment", "\"contradiction")?.description == unknown("contradiction", "not_entailment, entailment"))
    #expect(fault(.copa, "\"label\": 0", "\"label\": 2")?.description == unknown("2", "0, 1"))
    #expect(fault(.multirc, "\"label\": 1", "\"label\": -1")?.description == unknown("-1", "0, 1"))
    #expect(fault(.copa, "effect", "reason")?.message == "the question \"reason\" is unknown")
  }

  private func unknown(_ label: String, _ known: String) -> String {
    "val.jsonl:2: the label \(label) is unknown — expected one of: \(known)"
  }

  @Test func keysAndTypesAreChecked() {
    let label = fault(.boolq, ", \"label\": true", "")
    #expect(label?.message == "there is no key \"label\"" && label?.location == "val.jsonl:2" && label?.hint?.contains("test") == true)
    #expect(fault(.boolq, "true", "1")?.message == "\"label\" is not true or false")
    #expect(fault(.boolq, "true", "null")?.message == "\"label\" is not true or false")
    #expect(fault(.wic, "\"bank\"", "7")?.message == "\"word\" is not text")
    #expect(fault(.multirc, "\"Soup\"", "null")?.message == "\"passage.questions[0].answers[1].text\" is not text")
    let answer = fault(.multirc, "{\"text\": \"Tom\", \"idx\": 3, \"label\": 1}", "3")
    #expect(answer?.message == "\"passage.questions[1].answers[0]\" is not an object")
    #expect(fault(.record, "\"end\": 17}, {", "\"end\": 1.5}, {")?.location == "val.jsonl:2")
    #expect(fault(.cb, "{", "[{")?.message == "the line is not valid JSON")
    #expect(fault(.cb, sampleLines[.cb] ?? "", "[1]")?.message == "the line is not a JSON object")
  }

  @Test func contentsAreChecked() {
    #expect(fault(.wsc, "\"she\"", "\"it\"")?.message == "the text does not hold the pronoun \"it\"")
    #expect(fault(.wsc, "\"she\"", "\" \"")?.location == "val.jsonl:2")
    for bounds in ["\"start\": 0, \"end\": 270", "\"start\": -1, \"end\": 2", "\"start\": 2, \"end\": 1"] {
      #expect(fault(.record, "{\"start\": 0, \"end\": 2}", "{\(bounds)}")?.message.contains("lies outside the passage") == true)
    }
    #expect(fault(.record, "\"Rome\"", "\"Oslo\"")?.message == "no answer to query 1 is an entity of the passage")
    #expect(fault(.record, "@placeholder.", "there.")?.message == "query 1 has no @placeholder")
    #expect(fault(.copa, "\"idx\": 2", "\"idx\": 99")?.message == "the example 99 is there already, in line 1")
  }

  @Test func emptyFilesAndBytesThatAreNoText() {
    for task in SuperGLUETask.allCases {
      for text in ["", "\n", "\r\n \n"] {
        let fault = #expect(throws: Fault.self) { try task.examples(of: Array(text.utf8), named: "val.jsonl") }
        #expect(fault?.description == "val.jsonl: the file holds no example" && fault?.code == .invalidData)
      }
      let bytes = Array((sampleLines[task] ?? "").utf8) + [0x0A, 0xFF]
      let fault = #expect(throws: Fault.self) { try task.examples(of: bytes, named: "val.jsonl") }
      #expect(fault?.location == "val.jsonl:2" && fault?.message == "the line is not valid UTF-8")
    }
  }

  @Test func brokenReviews() {
    for (line, message) in [
      ("2\t1.5", "three fields"), ("2\thigh\tx", "\"high\" is no number"), ("2\tnan\tx", "from -4 to 4"), ("2\t4.5\tx", "from -4 to 4"),
      ("2\t2\t ", "the text is empty"), ("1\t2\tx", "the example 1 is there already"),
    ] {
      let fault = #expect(throws: Fault.self) { try SentimentTask.examples(of: Array("1\t3\tFine.\n\(line)".utf8), named: "r.txt") }
      #expect(fault?.message.contains(message) == true && fault?.location == "r.txt:2")
    }
    #expect(throws: Fault.self) { try SentimentTask.examples(of: Array("1\t0.5\tSo so.\n".utf8), named: "r.txt") }
  }

  /// Changed, cut, doubled and inserted bytes give examples or a `Fault`, never another error or a trap.
  @Test func mutatedLinesParseOrFault() throws {
    var draws = Draws(state: 7)
    let texts = ["}", "\"", "\\u", "-", "9999999999999999999", "[[", "null", "\u{0301}", "\t", "*"]
    let odd = texts.map { Array($0.utf8) } + [[0xC3]]
    var parsed = 0
    for task in SuperGLUETask.allCases.map(Optional.some) + [nil] {
      let valid = Array((task.flatMap { sampleLines[$0] } ?? "1\t2.25\tA joy.").utf8)
      for _ in 0..<400 {
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
        do {
          let examples = try task?.examples(of: bytes, named: "f") ?? SentimentTask.examples(of: bytes, named: "f")
          #expect(examples.allSatisfy { $0.choices.indices.contains($0.label) })
          parsed += 1
        } catch { #expect(error is Fault) }
      }
    }
    #expect(parsed > 300)
  }
}
