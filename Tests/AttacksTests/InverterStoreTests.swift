import Attacks
import Audit
import Diagnostics
import Foundation
import Kernels
import Synchronization
import TestSupport
import Testing

/// Inverters that are kept between runs.
@Suite(.serialized) struct InverterStoreTests {
  private static let settings: [String: SettingValue] = [
    "steps": .number(60), "rows_per_step": .number(128), "architecture": .string("gru"), "width": .number(8),
    "budget_seconds": .number(1e6),
  ]

  private final class Notices: Sendable {
    let texts = Mutex<[String]>([])
  }

  private struct Stop: Error {}

  private static func scene(_ folder: String, _ notices: Notices, checkpoint: String = "c0ffee") throws -> KnownAnswerTests.Scene {
    var scene = try KnownAnswerTests.Scene()
    scene.means.inverters = InverterStore(
      folder: URL(filePath: folder), weights: checkpoint, tokenizerSHA256: "70c",
      notice: { text in notices.texts.withLock { $0.append(text) } })
    return scene
  }

  private static func keys(_ folder: String) throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder).sorted() }

  @Test func aStoredInverterReconstructsTheSame() throws {
    try withFolder { folder in
      let notices = Notices()
      let first = try Self.scene(folder, notices)
      let view = try first.view(2, sigma: 0.4)
      let trained = try first.attack("learned-inverter", Self.settings, on: view)
      let key = try #require(try Self.keys(folder).first)
      #expect(try Self.keys("\(folder)/\(key)") == ["README.md", "inverter.safetensors"])
      let card = try String(contentsOfFile: "\(folder)/\(key)/README.md", encoding: .utf8)
      #expect(card.contains("gru") && card.contains("held-out public text"))
      let again = try Self.scene(folder, notices)
      var steps = 0
      let attack = try AttackCatalog.make("learned-inverter", settings: Self.settings)
      let loaded = try attack.reconstruct(view, with: again.means) { if $0 > 0 && $0 < 0.9 { steps += 1 } }
      #expect(loaded.tokens == trained.tokens && loaded.posterior == trained.posterior)
      #expect(steps == 0, "it was trained again")
      #expect(notices.texts.withLock { $0 }.isEmpty)
    }
  }

  @Test func whatTrainingDependsOnIsInTheKey() throws {
    try withFolder { folder in
      let notices = Notices()
      let quick = Self.settings.merging(["steps": .number(0)]) { $1 }
      let scene = try Self.scene(folder, notices)
      _ = try scene.attack("learned-inverter", quick, on: try scene.view(2, sigma: 0.4))
      _ = try scene.attack("learned-inverter", quick, on: try scene.view(2, sigma: 0.4, seed: 9))
      #expect(try Self.keys(folder).count == 1, "other noise draws ask for the same inverter")
      _ = try scene.attack("learned-inverter", quick, on: try scene.view(2, sigma: 0.5))
      #expect(try Self.keys(folder).count == 2, "another noise")
      _ = try scene.attack("learned-inverter", quick, on: try scene.view(2, sigma: 0.4, clip: 0.7))
      #expect(try Self.keys(folder).count == 3, "a clip")
      _ = try scene.attack("learned-inverter", quick, on: try scene.view(1, sigma: 0.4))
      #expect(try Self.keys(folder).count == 4, "another cut")
      _ = try scene.attack("learned-inverter", quick.merging(["width": .number(9)]) { $1 }, on: try scene.view(2, sigma: 0.4))
      #expect(try Self.keys(folder).count == 5, "another width")
      let other = try Self.scene(folder, notices, checkpoint: "decaf")
      _ = try other.attack("learned-inverter", quick, on: try other.view(2, sigma: 0.4))
      #expect(try Self.keys(folder).count == 6, "other weights")
      var text = scene
      text.means.auxiliary[0][0] ^= 1
      text.means.memory = AttackerMemory()
      _ = try text.attack("learned-inverter", quick, on: try scene.view(2, sigma: 0.4))
      #expect(try Self.keys(folder).count == 7, "other public text")
    }
  }

  /// Cut off, filled with noise, emptied, with a NaN, or with numbers that are none: reported, trained again, same result.
  @Test func damagedFilesAreTrainedAgain() throws {
    try withFolder { folder in
      let quick = Self.settings.merging(["steps": .number(10)]) { $1 }
      let notices = Notices()
      let scene = try Self.scene(folder, notices)
      let view = try scene.view(1)
      let expected = try scene.attack("learned-inverter", quick, on: view)
      let path = "\(folder)/\(try #require(try Self.keys(folder).first))/inverter.safetensors"
      let good = try Data(contentsOf: URL(filePath: path))
      var draws = SplitMix(state: 11)
      var damaged = [Data(), good.prefix(good.count / 2), Data(good.reversed())]
      var nan = good
      nan.replaceSubrange(nan.count - 4..<nan.count, with: [0, 0, 0xC0, 0x7F])
      damaged.append(nan)
      let numbers = try #require(good.range(of: Data("\"temperature\":\"".utf8)))
      var text = good
      text[numbers.upperBound] = UInt8(ascii: "x")
      damaged.append(text)
      for bytes in damaged {
        try bytes.write(to: URL(filePath: path))
        let before = notices.texts.withLock { $0.count }
        let found = try Self.scene(folder, notices).attack("learned-inverter", quick, on: view)
        #expect(found.tokens == expected.tokens && found.posterior == expected.posterior)
        #expect(notices.texts.withLock { $0.count } == before + 1)
        // It was written again: the next one finds it in order.
        _ = try Self.scene(folder, notices).attack("learned-inverter", quick, on: view)
        #expect(notices.texts.withLock { $0.count } == before + 1, "it was not written again")
      }
      // Whatever the bytes are, nothing traps.
      for _ in 0..<12 {
        try mutate(good, using: &draws).write(to: URL(filePath: path))
        _ = try Self.scene(folder, notices).attack("learned-inverter", quick, on: view)
      }
    }
  }

  /// Stopped in a trial, in the stage and between them, and gone on with: the same weights to the last bit.
  @Test func anInterruptedTrainingGoesOn() throws {
    let notices = Notices()
    let scene = try KnownAnswerTests.Scene()
    let view = try scene.view(2, sigma: 0.4)
    let whole = try scene.attack("learned-inverter", Self.settings, on: view)
    try withFolder { folder in
      for stop in [0.1, 0.3, 0.5, 0.75] {
        let part = try Self.scene(folder, notices)
        #expect(throws: Stop.self) {
          _ = try AttackCatalog.make("learned-inverter", settings: Self.settings).reconstruct(view, with: part.means) {
            if $0 > stop { throw Stop() }
          }
        }
        if stop > 0.3 {
          let key = try #require(try Self.keys(folder).first)
          #expect(try Self.keys("\(folder)/\(key)") == ["interrupted.safetensors"])
        }
      }
      let last = try Self.scene(folder, notices)
      var first = 1.0
      let attack = try AttackCatalog.make("learned-inverter", settings: Self.settings)
      let found = try attack.reconstruct(view, with: last.means) { first = min(first, $0) }
      #expect(first > 0.5, "training began anew at \(first)")
      #expect(found.tokens == whole.tokens && found.posterior == whole.posterior)
      #expect(notices.texts.withLock { $0 }.isEmpty)
    }
  }

  /// Whatever a file of interrupted training holds, training goes on or begins anew; nothing traps.
  @Test func damagedInterruptionsDoNotTrap() throws {
    try withFolder { folder in
      let scene = try Self.scene(folder, Notices())
      let view = try scene.view(1)
      let attack = try AttackCatalog.make("learned-inverter", settings: Self.settings)
      #expect(throws: Stop.self) {
        _ = try attack.reconstruct(view, with: scene.means) { if $0 > 0.7 { throw Stop() } }
      }
      let path = "\(folder)/\(try #require(try Self.keys(folder).first))/interrupted.safetensors"
      let good = try Data(contentsOf: URL(filePath: path))
      var draws = SplitMix(state: 12)
      var files = (0..<8).map { _ in mutate(good, using: &draws) }
      // Numbers of the right form and the wrong size, as long as they were.
      for name in ["leg", "step", "trials", "stale"] {
        let range = try #require(good.range(of: Data("\"\(name)\":\"".utf8)))
        var file = good
        file[range.upperBound] = UInt8(ascii: "9")
        files.append(file)
      }
      for file in files {
        try file.write(to: URL(filePath: path))
        _ = try attack.reconstruct(view, with: try Self.scene(folder, Notices()).means) { _ in }
        try FileManager.default.removeItem(atPath: "\(folder)/\(try #require(try Self.keys(folder).first))/inverter.safetensors")
      }
    }
  }
}
