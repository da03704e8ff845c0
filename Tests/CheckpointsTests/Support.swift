import Checkpoints
import Diagnostics
import Foundation
import TestSupport
import Testing

func contents(_ path: String) throws -> [UInt8] { try [UInt8](Data(contentsOf: URL(fileURLWithPath: path))) }

func write(_ bytes: some Sequence<UInt8>, to path: String) throws { try Data(bytes).write(to: URL(fileURLWithPath: path)) }

/// Expects `body` to throw a `Fault` of `code` whose description holds `words`.
func expectFault(
  _ words: String, code: Fault.Code = .invalidData, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) {
  do {
    try body()
    Issue.record("nothing was thrown; expected \"\(words)\"", sourceLocation: sourceLocation)
  } catch let fault as Fault {
    #expect(fault.code == code, sourceLocation: sourceLocation)
    #expect(words.isEmpty || fault.description.contains(words), "\(fault)", sourceLocation: sourceLocation)
  } catch {
    Issue.record("\(error) is no Fault", sourceLocation: sourceLocation)
  }
}

/// A damaged copy of `bytes`: some bytes among the first `reach` flipped, replaced, removed or inserted, integers made extreme, or the end cut.
func damaged(_ bytes: [UInt8], reach: Int, using random: inout SplitMix) -> [UInt8] {
  var out = bytes
  for _ in 0..<Int.random(in: 1...4, using: &random) where !out.isEmpty {
    let position = Int.random(in: 0..<min(reach, out.count), using: &random)
    switch Int.random(in: 0..<7, using: &random) {
    case 0: out[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 1: out[position] = UInt8.random(in: 0...255, using: &random)
    case 2: out.remove(at: position)
    case 3: out.insert(UInt8.random(in: 0...255, using: &random), at: position)
    case 4: out.removeLast(Int.random(in: 1...out.count, using: &random))
    case 5:
      let extremes: [UInt64] = [0, 1, 1 << 31, (1 << 32) - 1, 1 << 60, (1 << 63) - 1, 1 << 63, .max, .max - 7]
      let value = extremes.randomElement(using: &random)!
      for byte in 0..<8 where position + byte < out.count { out[position + byte] = UInt8(truncatingIfNeeded: value >> UInt64(8 * byte)) }
    default: out[position] = [0x30, 0x39, 0x2D, 0x22, 0x7B, 0x5B, 0x2C, 0x65].randomElement(using: &random)!
    }
  }
  return out
}

/// Whether `body` succeeded; a `Fault` counts as false, any other error fails the test.
func survives(_ body: () throws -> Void) -> Bool {
  do {
    try body()
    return true
  } catch is Fault {
    return false
  } catch {
    Issue.record("\(error) is no Fault")
    return false
  }
}

/// A model of two blocks with grouped heads.
let tiny = LlamaConfiguration(
  architecture: .llama, blocks: 2, hiddenSize: 64, feedForwardSize: 96, heads: 4, keyValueHeads: 2, headDimension: 16, vocabularySize: 40,
  contextLength: 128, beginToken: 1, endTokens: [2])

/// Values of a few bits, so that every float type holds them exactly, and different for every tensor.
func exactWeights(_ key: String, _ shape: [Int]) -> [Float] {
  var random = SplitMix(state: key.utf8.reduce(5) { $0 &* 31 &+ UInt64($1) })
  return (0..<shape.reduce(1, *)).map { _ in Float(Int.random(in: -64...64, using: &random)) / 32 }
}
