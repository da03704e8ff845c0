import Attacks
import Audit
import AuditRunner
import Checkpoints
import Diagnostics
import Foundation
import Kernels
import Llama
import PrivateText
import SplitLearning
import TestSupport
import Testing

/// Instructions behind captured caches of tiny random models, against passes of the whole model whose attention is cut where nobody captured a
/// cache.
@Suite(.serialized) struct CacheInjectionTests {
  typealias Scene = ChannelExchangeTests.Scene

  private static let instruction: [Int32] = [17, 200, 4, 250]

  private func view(_ scene: Scene, _ points: PartitionPoints, sigma: Double = 0) throws -> AdversaryView {
    var setting = try scene.setting(points.input, [.keys, .values], sigma: sigma)
    (setting.points, setting.capture.places) = (points, [.all])
    return try scene.view(setting).1
  }

  /// Logits after `prompt` and `instruction` [V] by one masked pass: each position sees those before it, but in the client's blocks the prompt and what
  /// comes after it do not see each other.
  private func masked(_ model: LlamaModel, _ prompt: [Int32], _ instruction: [Int32], _ points: PartitionPoints) -> [Float] {
    let tokens = prompt + instruction
    let compute = model.compute
    let rotary = RotaryTable(positions: Array(tokens.indices), frequencies: model.stack.frequencies)
    var x = model.embedding.gather(tokens)
    for (i, block) in model.stack.blocks.enumerated() {
      let isClients = i < points.input || i >= model.stack.blocks.count - points.output
      let (q, k, v) = block.project(x, rotary: rotary, compute)
      let (d, perGroup) = (block.shape.dimension, block.shape.heads / block.shape.groups)
      var attended = Matrix(rows: q.rows, columns: q.columns)
      for r in tokens.indices {
        let seen = (0...r).filter { !isClients || ($0 < prompt.count) == (r < prompt.count) }
        for h in 0..<block.shape.heads {
          let g = h / perGroup
          let scores = seen.map { s in
            (0..<d).reduce(0.0) { $0 + Double(q[r, h * d + $1]) * Double(k[s, g * d + $1]) } / Double(d).squareRoot()
          }
          let weights = scores.map { exp($0 - scores.max()!) }
          for c in 0..<d {
            let mixed = zip(seen, weights).reduce(0.0) { $0 + $1.1 * Double(v[$1.0, g * d + c]) }
            attended[r, h * d + c] = Float(mixed / weights.reduce(0, +))
          }
        }
      }
      block.finish(&x, attended: attended, compute)
    }
    return Array(model.head.logits(x.slice(x.rows - 1..<x.rows)).values)
  }

  @Test(arguments: ["tiny-gqa", "tiny-untied", "tiny-qwen2", "tiny-mistral"], [(0, 0), (1, 0), (0, 1), (1, 1), (2, 0)])
  func injectedLogitsAreThoseOfAMaskedPass(name: String, cut: (Int, Int)) throws {
    let scene = try Scene(name, documents: 3)
    let points = PartitionPoints(input: cut.0, output: cut.1)
    let captured = try CapturedCache(try view(scene, points), scene.model, attack: "test")
    #expect(captured.server == points.input..<scene.model.configuration.blocks - points.output)
    var decoding = InjectedDecoding(scene.model, points, captured: captured.documents, excluded: [])
    let first = decoding.next(scene.documents.map { _ in Self.instruction })
    // And one token further, by the caches that grew.
    let second = decoding.next(scene.documents.map { _ in [99] })
    for (i, document) in scene.documents.enumerated() {
      for (found, text) in [(first, Self.instruction), (second, Self.instruction + [99])] {
        let expected = masked(scene.model, document.tokens, text, points)
        #expect(largestDifference(found[row: i], expected) < 1e-4 * rootMeanSquare(expected) * 10, "document \(i)")
      }
    }
  }

  /// A server that runs all blocks has no cut: the answer is the model's own greedy continuation of text and instruction.
  @Test func aWholeCacheIsContinuedAsTheModelDoes() throws {
    var scene = try Scene()
    scene.means.encode = { _ in Self.instruction }
    let found = try scene.attack(
      "cache-injection", ["instruction": .string("x")], on: try view(scene, PartitionPoints(input: 0, output: 0)))
    for (guess, document) in zip(found, scene.documents) {
      #expect(guess == (try scene.model.generate(document.tokens + Self.instruction, count: document.tokens.count)))
    }
  }

  /// The wording is the one that does best on the attacker's own passages: here the documents themselves, so that what it chose by can be seen.
  @Test func theWordingThatRepeatsBestIsChosen() throws {
    var scene = try Scene()
    let texts = scene.documents.map(\.tokens)
    scene.means.encode = { text in [Int32(text.utf8.count), 7] }
    scene.means.auxiliary = texts
    let seen = try view(scene, PartitionPoints(input: 1, output: 1))
    let written = try InjectedInstruction.wordings.map { try scene.attack("cache-injection", ["instruction": .string($0)], on: seen) }
    func shared(_ a: [Int32], _ b: [Int32]) -> Int {
      Set(a).reduce(0) { total, token in total + min(a.count { $0 == token }, b.count { $0 == token }) }
    }
    let scores = written.map { zip($0, texts).reduce(0.0) { $0 + Double(shared($1.0, $1.1)) / Double($1.1.count) } }
    #expect(Set(scores).count > 1, "\(scores)")
    let chosen = try scene.attack("cache-injection", on: seen)
    #expect(zip(written, scores).contains { $0 == chosen && $1 == scores.max()! }, "\(scores)")
  }

  /// The same answer every time; control tokens are never written, and the rest of a short answer is a guess.
  @Test func settingsAreHeeded() throws {
    var scene = try Scene()
    scene.means.encode = { text in [Int32(text.utf8.count), 7] }
    let seen = try view(scene, PartitionPoints(input: 1, output: 1), sigma: 0.2)
    let chosen = try scene.attack("cache-injection", on: seen)
    #expect(chosen == (try scene.attack("cache-injection", on: seen)))
    let fixed = try scene.attack("cache-injection", ["instruction": .string("four")], on: seen)
    #expect(fixed.map(\.count) == scene.documents.map(\.tokens.count) && fixed != chosen)
    let short = try scene.attack("cache-injection", ["instruction": .string("four"), "tokens": .number(3)], on: seen)
    for (a, b) in zip(short, fixed) { #expect(a.prefix(3) == b.prefix(3) && Set(a.dropFirst(3)).count == 1) }
    // Behind nothing every document gets the beginning of the same text.
    let nothing = try scene.attack("cache-injection", ["instruction": .string("four"), "cache": .string("none")], on: seen)
    let longest = try #require(nothing.max { $0.count < $1.count })
    #expect(nothing.allSatisfy { longest.starts(with: $0) } && nothing != fixed)
    scene.means.excluded = Set(fixed.joined())
    let other = try scene.attack("cache-injection", ["instruction": .string("four")], on: seen)
    #expect(scene.means.excluded.isDisjoint(with: other.joined()))
  }

  @Test func aCacheWithGapsIsRefused() throws {
    let scene = try Scene()
    var setting = try scene.setting(1, [.keys, .values])
    setting.capture.places = [.first]
    let fault = #expect(throws: Fault.self) { try scene.attack("cache-injection", on: try scene.view(setting).1) }
    #expect(fault?.description.contains("server/keys of 1 of its blocks were not captured (2)") == true, "\(fault as Any)")
    #expect(fault?.description.contains("capture: {blocks: [all]}") == true)
  }

  @Test func foreignCachesAreRefusedAndNothingTraps() throws {
    var scene = try Scene(documents: 3, length: 6)
    let good = try view(scene, PartitionPoints(input: 1, output: 1))
    func refused(_ label: String, _ change: (inout AdversaryView) -> Void) {
      var bad = good
      change(&bad)
      #expect(throws: Fault.self, "\(label)") { try scene.attack("cache-injection", on: bad) }
    }
    refused("no keys") { $0.observations[.keys] = nil }
    refused("no values") { $0.observations[.values] = nil }
    refused("blocks of another model") { $0.observations[.keys]!.blocks = [7, 8] }
    refused("narrow") { $0.observations[.keys]!.values = Matrix(rows: $0.tokens, columns: 4) }
    refused("short") { $0.observations[.values]!.values = Matrix(rows: 2, columns: $0.observations[.values]!.values.columns) }
    refused("odd") { $0.observations[.values]!.values = Matrix(rows: $0.tokens, columns: 3) }
    refused("nan") { $0.observations[.keys]!.values.values[5] = .nan }
    refused("huge") { $0.observations[.values]!.values.values[5] = 3e38 }
    refused("cut") { $0.partition.input = -1 }
    refused("no server") { $0.partition.input = 3 }
    refused("deep") { $0.partition.output = 99 }
    refused("falling") { $0.offsets = [0, 9, 3, $0.offsets[3]] }
    // Large numbers, and documents without a token, are answered.
    var odd = good
    odd.observations[.keys]!.values.values = odd.observations[.keys]!.values.values.map { $0 * 1e12 }
    odd.offsets.insert(0, at: 0)
    odd.messages = Array(0...4)
    #expect(try scene.attack("cache-injection", on: odd).map(\.count) == [0] + scene.documents.map(\.tokens.count))
    // A text that is no text of this model, and no tokenizer.
    for encode: (@Sendable (String) -> [Int32])? in [{ _ in [] }, { _ in [384] }, { _ in [-1] }, nil] {
      scene.means.encode = encode
      #expect(throws: Fault.self) { try scene.attack("cache-injection", on: good) }
    }
  }
}
