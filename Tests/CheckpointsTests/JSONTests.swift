import Checkpoints
import Diagnostics
import Foundation
import TestSupport
import Testing

@Suite struct JSONTests {
  private func parse(_ text: String) throws -> JSONValue { try [UInt8](text.utf8).withUnsafeBytes { try JSONValue.parse($0) } }

  @Test func readsEveryKindOfValue() throws {
    let text =
      #" {"a":[1,-0,0.5,1e3,-2E-1,9223372036854775807,9223372036854775808],"b":"\u00e9\ud83d\ude00\n\"/\\","c":[true,false,null,{},[]]} "#
    #expect(
      try parse(text)
        == .object([
          "a": .array([
            .integer(1), .integer(0), .number(0.5), .number(1000), .number(-0.2), .integer(.max), .number(9_223_372_036_854_775_808),
          ]),
          "b": .string("é😀\n\"/\\"), "c": .array([.bool(true), .bool(false), .null, .object([:]), .array([])]),
        ]))
    #expect(try parse("1e3").asInt == 1000)
    #expect(try parse("1e30").asInt == nil)
    #expect(try parse("0.5").asInt == nil)
    #expect(try parse("true").asInt == nil)
  }

  @Test func refusesWhatIsNoJSON() {
    let texts = [
      "", " ", "{", "[", "\"", "[1,]", "{\"a\":1,}", "{a:1}", "01", "-", "1.", ".5", "+1", "1e", "1e+", "NaN", "Infinity", "-Infinity",
      "1e999", "tru", "nul", "'a'",
      "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\u{1}\"", "1 2", "{\"a\" 1}", "{\"a\":1 \"b\":2}",
      "[1 2]", "{\"a\"",
    ]
    for text in texts { expectFault("invalid JSON at byte") { _ = try parse(text) } }
    expectFault("key \"a\" stands twice") { _ = try parse("{\"a\":1,\"a\":2}") }
    expectFault("UTF-8") { _ = try [UInt8]([0x22, 0xFF, 0x22]).withUnsafeBytes { try JSONValue.parse($0) } }
    expectFault("nested") { _ = try parse(String(repeating: "{\"a\":", count: 200_000)) }
    expectFault("values") { _ = try parse("[" + String(repeating: "0,", count: 5_000_000) + "0]") }
  }

  @Test func quotedTextComesBack() throws {
    let text = "a\"b\\c\u{0}\u{1F}\n\u{7F}é😀\u{2028}"
    #expect(try parse(JSONValue.quoted(text)) == .string(text))
    #expect(try JSONSerialization.jsonObject(with: Data(JSONValue.quoted(text).utf8), options: .fragmentsAllowed) as? String == text)
  }

  @Test func agreesWithFoundationOnDamagedText() throws {
    var random = SplitMix(state: 13)
    let text = try contents(Fixture.path("checkpoints/llama-tied/config.json"))
    var sound = 0
    for _ in 0..<4000 {
      let bytes = damaged(text, reach: text.count, using: &random)
      let ours = survives { _ = try bytes.withUnsafeBytes { try JSONValue.parse($0) } }
      if ours { #expect((try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)) != nil) }
      sound += ours ? 1 : 0
    }
    #expect(sound > 0 && sound < 4000)
  }
}
