import Audit
import Diagnostics
import Foundation
import Reports
import TestSupport
import Testing

@Suite struct RecordFileTests {
  private func refusal(_ json: String) -> Fault? {
    do {
      _ = try RecordFile.decode(Data(json.utf8))
      return nil
    } catch { return error as? Fault }
  }

  @Test func roundTripsAndIsStable() throws {
    let record = SyntheticRecord.record()
    let data = try RecordFile.encode(record)
    #expect(try RecordFile.decode(data) == record)
    #expect(try RecordFile.encode(RecordFile.decode(data)) == data)
    #expect(data.last == 0x0A)
    let text = String(decoding: data, as: UTF8.self)
    for key in [
      "\"schema_version\" : 2", "\"run_id\"", "\"plan_sha256\"", "\"threat_model\"", "\"ci95\"", "\"is_baseline\"", "\"input_blocks\"",
    ] {
      #expect(text.contains(key), "\(key)")
    }
  }

  /// The golden record is written by Tests/Fixtures/reports/golden_record.py, independently of the Swift encoder.
  @Test func readsTheGoldenRecord() throws {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let url = tests.appendingPathComponent("Fixtures/reports/golden_record.json")
    let data = try Data(contentsOf: url)
    let record = try RecordFile.decode(data)
    #expect(
      record.runID == "golden-run" && record.results.count == 2 && record.results[0].mean == 0.979 && record.results[0].ci95 == [0.95, 1])
    #expect(record.results[1].gainOverBaseline == nil && record.margins[0].counts == [1, 4, 2])
    #expect(record.plan == .map(["plan": .string("golden"), "seeds": .list([.number(1), .number(2)])]))
    let again = try JSONSerialization.jsonObject(with: RecordFile.encode(record)) as? NSDictionary
    let original = try JSONSerialization.jsonObject(with: data) as? NSDictionary
    #expect(again == original)
  }

  @Test func refusesBrokenAndForeignRecords() throws {
    #expect(refusal("{")?.code == .invalidData)
    #expect(refusal("")?.code == .invalidData)
    #expect(refusal("[]")?.message.contains("not a") == true)
    #expect(refusal("{\"schema_version\": 3}")?.message == "schema_version is 3, this program reads 1 to 2")
    #expect(refusal("{\"schema_version\": 0}")?.code == .invalidData)
    #expect(refusal("{\"schema_version\": 1}")?.message.contains("is missing") == true)
    #expect(refusal(String(repeating: "[", count: 100_000))?.code == .invalidData)
    let good = String(decoding: try RecordFile.encode(SyntheticRecord.record(cuts: [1])), as: UTF8.self)
    #expect(refusal(good) == nil)
    let wrong = [
      ("\"complete\" : true", "\"complete\" : \"yes\"", "complete is not a Bool"),
      ("\"channels\" : 576", "\"channels\" : 0", "make no cut"),
      ("\"n\" : 12", "\"n\" : -1", "n is -1"), ("\"blocks\" : 30", "\"blocks\" : 1e99", "broken JSON"),
      ("\"K2\"", "\"K9\"", "knowledge"),
    ]
    for (old, new, message) in wrong {
      let fault = try #require(refusal(good.replacingOccurrences(of: old, with: new)), "\(new)")
      #expect(fault.code == .invalidData && fault.message.contains(message), "\(fault)")
    }
  }

  @Test func numbersThatAreNotFiniteNeverReachJSON() throws {
    for value in [Double.nan, .infinity, -.infinity] {
      var record = SyntheticRecord.record(cuts: [1])
      record.results[3].mean = value
      #expect { try RecordFile.encode(record) } throws: { ($0 as? Fault)?.message.contains("results[3]") == true }
      record = SyntheticRecord.record(cuts: [1])
      record.plan = .map(["x": .list([.number(value)])])
      #expect { try RecordFile.encode(record) } throws: { ($0 as? Fault)?.code == .internalError }
      let sample = SampleRecord(cell: "c", document: 0, attack: "a", tokens: 1, matchingTokens: 1, scores: ["x": value])
      #expect { try SampleFile.encode([sample]) } throws: { ($0 as? Fault)?.code == .internalError }
    }
  }

  /// A verdict on the controls that the controls do not bear out is refused, and so is a record that is both invalid and eligible.
  @Test func controlsMustAgreeWithTheVerdict() throws {
    var record = SyntheticRecord.record(cuts: [1])
    record.eligible = false
    let lost = PlantedLeakControl(cell: "c", partition: "p = 1, q = 1", attack: "a", accuracy: 0.2, threshold: 0.99)
    record.controls = Controls(plantedLeaks: [lost])
    (record.valid, record.invalidReasons) = (false, record.controls?.problems)
    let data = try RecordFile.encode(record)
    #expect(try RecordFile.decode(data) == record)
    let text = String(decoding: data, as: UTF8.self)
    for (old, new, message) in [
      ("\"valid\" : false", "\"valid\" : true", "valid contradicts"), ("\"found\" : false", "\"found\" : true", "found contradicts"),
      ("\"accuracy\" : 0.2", "\"accuracy\" : 1.5", "outside 0…1"), ("\"eligible\" : false", "\"eligible\" : true", "eligible"),
    ] {
      let fault = refusal(text.replacingOccurrences(of: old, with: new))
      #expect(fault?.code == .invalidData && fault?.message.contains(message) == true, "\(new): \(fault?.description ?? "accepted")")
    }
    record.results[0].gainCI95 = [0.2, 0.1]
    #expect { try RecordFile.encode(record) } throws: { ($0 as? Fault)?.message.contains("gain_ci95") == true }
  }

  @Test func upsideDownIntervalsAreRefused() throws {
    var record = SyntheticRecord.record(cuts: [1])
    record.results[0].ci95 = [0.9, 0.1]
    #expect { try RecordFile.encode(record) } throws: { ($0 as? Fault)?.message.contains("upside down") == true }
    record.results[0].ci95 = [0.9]
    #expect { try RecordFile.encode(record) } throws: { ($0 as? Fault)?.message.contains("1 numbers") == true }
    record = SyntheticRecord.record(cuts: [1])
    record.margins[0].counts = record.margins[0].counts.map { _ in Int.max }
    #expect { try RecordFile.encode(record) } throws: { ($0 as? Fault)?.message.contains("overflow") == true }
  }

  /// Mutated files either parse, and then render, or throw a Fault; nothing traps.
  @Test func mutatedRecordsParseOrThrow() throws {
    var small = SyntheticRecord.record(cuts: [1])
    small.results = Array(small.results.prefix(10))
    let original = [UInt8](try RecordFile.encode(small))
    var random = SplitMix(state: 42)
    let spice = Array("0123456789-eE.+\"{}[],:nulltrue\\\u{0}".utf8)
    var (parsed, refused) = (0, 0)
    for _ in 0..<1500 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        let at = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes[at] = spice.randomElement(using: &random) ?? 0
        case 1: bytes[at] = UInt8.random(in: 0...255, using: &random)
        case 2: bytes.insert(contentsOf: (0..<Int.random(in: 1...20, using: &random)).map { _ in UInt8(ascii: "9") }, at: at)
        default: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...40, using: &random)))
        }
      }
      do {
        let record = try RecordFile.decode(Data(bytes))
        parsed += 1
        if parsed % 6 == 0 {
          #expect(HTMLReport(record: record).render().count > 1000)
          _ = TerminalSummary.render(record, width: 80)
          _ = ScoresCSV.encode(record)
        }
      } catch {
        #expect(error is Fault, "\(error)")
        refused += 1
      }
    }
    #expect(parsed > 100 && refused > 100, "\(parsed) parsed, \(refused) refused")
  }
}

@Suite struct SampleFileTests {
  private let sample = SampleRecord(
    cell: "c", document: 3, attack: "a", tokens: 4, matchingTokens: 3, matches: "1101", truthText: "a\nb", guessText: "\"\u{2028}")

  @Test func roundTripsOneLineEach() throws {
    let data = try SampleFile.encode([sample, sample])
    #expect(data.count { $0 == 0x0A } == 2)
    #expect(try SampleFile.decode(data) == [sample, sample])
    #expect(String(decoding: data, as: UTF8.self).contains("\"token_accuracy\":0.75"))
    #expect(try SampleFile.decode(Data()).isEmpty)
  }

  @Test func namesTheBrokenLine() throws {
    var data = try SampleFile.encode([sample])
    data.append(Data("{\"cell\": ".utf8))
    #expect { try SampleFile.decode(data) } throws: { ($0 as? Fault)?.location == "samples.jsonl:2" }
    #expect(try SampleFile.decode(data, allowTornEnd: true) == [sample])
    let lies = String(decoding: try SampleFile.encode([sample]), as: UTF8.self).replacingOccurrences(
      of: "\"matching_tokens\":3", with: "\"matching_tokens\":9")
    #expect { try SampleFile.decode(Data(lies.utf8)) } throws: { ($0 as? Fault)?.code == .invalidData }
  }
}
