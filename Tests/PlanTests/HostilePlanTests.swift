import Audit
import Diagnostics
import SplitLearning
import Testing

@Suite struct HostilePlanTests {
  /// Runs `body`; true when it returned or threw a `Fault`.
  private func survives(_ text: String) -> Bool {
    do {
      let decoded = try plan(text)
      _ = try decoded.cells()
      return true
    } catch { return error is Fault }
  }

  @Test(.timeLimit(.minutes(1))) func shapesThatBreakParsers() {
    var laughs = "a0: &a0 [x, x]\n"
    for level in 1...40 { laughs += "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n" }
    var keys = "? &b0 [x, x]\n: 1\n"
    for level in 1...11 { keys += "? &b\(level) [*b\(level - 1), z]\n: 1\n" }
    let shapes = [
      laughs, keys, String(repeating: "[", count: 200_000), String(repeating: "{a: ", count: 60_000),
      String(repeating: "- ", count: 100_000),
      String(repeating: "? ", count: 100_000), String(repeating: "[", count: 1_000), String(repeating: "{a: ", count: 999),
      (0..<400).map { String(repeating: " ", count: $0) + "a:\n" }.joined(),
      (0..<199).map { String(repeating: " ", count: $0) + "-\n" }.joined(),
      String(repeating: "a: 1\n", count: 40_000), String(repeating: "x", count: 300_000), "\u{0}", "\u{FEFF}plan: a",
      "%YAML 9.9\n---\nplan: a",
      "a: *a", "&a a: *a", "<<: {plan: x}", "\"\\ud800\": 1", "plan: \"\\xff\"", "? {a: 1}\n: 2", "? [1]\n: 2\n? [1]\n: 3",
      "a: !!binary zzz",
      "!!set {a, b}", "plan: |9\n x", "plan: >-\n", "--- \n...\n", "\t\tplan: x", "plan: a\rversion: 2", "?", "-", ":", "[]", "{}", "~",
      "'", "\"",
      small + "\nsweep: {defense.relative: [\((0..<9_000).map(String.init).joined(separator: ","))]}",
      small.replacing("[1, 2]", with: "[\((0..<30_000).map(String.init).joined(separator: ","))]"),
    ]
    for shape in shapes { #expect(survives(shape), "\(shape.prefix(80))") }
  }

  @Test func manyAliasesAreRefusedAndFewAreFine() throws {
    let fault = #expect(throws: Fault.self) { try plan(small + "\nsweep: [\(Array(repeating: "*a", count: 13).joined(separator: ","))]") }
    #expect(fault?.message.contains("aliases") == true)
    let text = small.replacing("{input: 2, output: 1}", with: "{input: &p 2, output: *p}")
    #expect(try plan(text).model.partition.output == 2)
  }

  /// Seeded mutations of a valid plan: each is decoded or refused with a `Fault`, never a trap.
  @Test func mutatedPlans() throws {
    var state: UInt64 = 0x5EED
    func draw(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(bound))
    }
    let full = small + "\nsweep:\n  - model.partition.input: [1, 2]\n    defense.relative: [0, 1e-3]\n  - {defense.mean_abs: [0.1]}\n"
    let tokens = [
      "[", "]", "{", "}", ":", "- ", "\n", " ", "&a", "*a", "!", "\"", "'", "#", "|", ">", "?", "0", "-1", "1e400", ".inf", "null", "~",
      "%", "@", "\t", "é", "\u{202E}", "<<", "9223372036854775808",
    ]
    var (accepted, refused) = (0, 0)
    for _ in 0..<4_000 {
      var bytes = Array(full.utf8)
      for _ in 0...draw(2) {
        let at = draw(bytes.count)
        switch draw(4) {
        case 0: bytes[at] = UInt8(draw(256))
        case 1: bytes.removeSubrange(at..<min(bytes.count, at + 1 + draw(12)))
        case 2: bytes.insert(contentsOf: Array(tokens[draw(tokens.count)].utf8), at: at)
        default:
          let from = draw(bytes.count)
          bytes.insert(contentsOf: Array(bytes[from..<min(bytes.count, from + draw(40))]), at: at)
        }
        if bytes.isEmpty { bytes = [0x20] }
      }
      do {
        _ = try plan(String(decoding: bytes, as: UTF8.self))
        accepted += 1
      } catch is Fault { refused += 1 } catch { Issue.record("not a fault: \(error)") }
    }
    #expect(accepted > 50 && refused > 500, "\(accepted) accepted, \(refused) refused")
  }
}
