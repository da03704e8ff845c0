import Checkpoints
import Diagnostics
import Foundation
import TestSupport
import Testing

@Suite struct GGUFFileTests {
  @Test func readsWhatPythonWrote() throws {
    let file = try GGUFFile.open(at: Fixture.path("checkpoints/dequantisation.gguf"))
    #expect(file.version == 3)
    #expect(file.metadata["general.architecture"]?.asString == "test")
    #expect(file.metadata["test.tokens"] == .strings(["a", "é", "", "Ġthe"].map { [UInt8]($0.utf8) }))
    #expect(file.metadata["test.scores"] == .floats([0.5, -1.25]))
    #expect(file.metadata["test.types"] == .integers([1, -2, 3]))
    #expect(file.metadata["test.flag"] == .bool(true))
    #expect(file.metadata["test.large"] == .unsigned(1 << 63 + 1))
    #expect(file.metadata["test.large"]?.asInt == nil)
    #expect(file.metadata["test.small"] == .signed(-5))
    #expect(file.metadata["test.double"] == .float(.pi))
    #expect(file.tensors["q6_k"]?.dimensions == [256, 4])
    #expect(file.tensors["q6_k"]?.type == .q6_K)
  }

  @Test func readsWhatItWrote() throws {
    let metadata: [(String, GGUFValue)] = [
      ("a", .unsigned(7)), ("b", .unsigned(.max)), ("c", .signed(-1)), ("d", .signed(.min)), ("e", .float(0.5)), ("f", .bool(false)),
      ("g", .string([0xFF, 0xFE])), ("h", .strings([[], [0x80]])), ("i", .integers([.min, .max])), ("j", .bools([true, false])),
      ("k", .nested([.integers([1]), .floats([2])])),
    ]
    let file = try parse(GGUFWriter.bytes(metadata: metadata, tensors: [vector("t", [1, 2, 3]), vector("u", [4])]))
    for (key, value) in metadata { #expect(file.metadata[key] == value) }
    #expect(file.metadata["g"]?.asBytes == [0xFF, 0xFE])
    #expect(file.metadata["g"]?.asString == nil)
    let info = try #require(file.tensors["u"])
    #expect(file.bytes(of: info)?.withUnsafeBytes { [UInt8]($0) } == StoredType.f32.encoded([4]))
  }

  @Test func hostileCountsAreRefusedWithoutAllocation() {
    for huge in [UInt64(1) << 60, 1 << 63, .max] {
      expectFault("tensors") { _ = try parse(header(tensors: huge, entries: 0)) }
      expectFault("metadata entries") { _ = try parse(header(tensors: 0, entries: huge)) }
      // A string, an array of each type, and a key, all of this length.
      expectFault("truncated") { _ = try parse(header(entries: 1) + entry("k", type: 8) + word(huge) + padding) }
      for element in UInt32(0)...12 {
        expectFault("k") { _ = try parse(header(entries: 1) + entry("k", type: 9) + short(element) + word(huge) + padding) }
      }
      expectFault("expected 1 to 1024") { _ = try parse(header(entries: 1) + word(huge) + padding) }
      expectFault("dimension of") { _ = try parse(header(tensors: 1) + name("t") + short(1) + word(huge) + short(0) + word(0) + padding) }
      expectFault("tensor \"t\"") { _ = try parse(header(tensors: 1) + name("t") + short(1) + word(4) + short(0) + word(huge) + padding) }
    }
    let side = word(1 << 40)
    expectFault("impossible shape") {
      _ = try parse(header(tensors: 1) + name("t") + short(4) + side + side + side + side + short(0) + word(0) + padding)
    }
    // 2^23 elements are allowed as a count, but are not there.
    expectFault("announces 8388608 elements") {
      _ = try parse(header(entries: 1) + entry("k", type: 9) + short(8) + word(1 << 23) + padding)
    }
    expectFault("truncated: k needs") { _ = try parse(header(entries: 1) + entry("k", type: 9) + short(6) + word(1 << 23) + padding) }
  }

  @Test func unsoundHeadersAreRefused() {
    expectFault("no \"GGUF\" at its start") { _ = try parse([UInt8]("GGML0123456789012345678901234567".utf8)) }
    expectFault("truncated") { _ = try parse([]) }
    expectFault("big-endian") { _ = try parse(header(version: 0x0300_0000)) }
    expectFault("version 1 is not") { _ = try parse(header(version: 1)) }
    expectFault("unknown type 13") { _ = try parse(header(entries: 1) + entry("k", type: 13) + padding) }
    expectFault("bool of value 2") { _ = try parse(header(entries: 1) + entry("k", type: 7) + [2] + padding) }
    expectFault("beyond the largest Int64") { _ = try parse(header(entries: 1) + entry("k", type: 9) + short(10) + word(1) + word(.max)) }
    expectFault("not valid UTF-8") { _ = try parse(header(entries: 1) + word(1) + [0xFF] + short(7) + [1] + padding) }
    expectFault("stands twice") { _ = try parse(header(entries: 2) + entry("k", type: 7) + [1] + entry("k", type: 7) + [1] + padding) }
    var deep = header(entries: 1) + entry("k", type: 9)
    for _ in 0..<100_000 { deep += short(9) + word(1) }
    expectFault("nested too deeply") { _ = try parse(deep) }

    let tensor = name("t") + short(1) + word(8) + short(0)
    expectFault("expected 1 to 4") { _ = try parse(header(tensors: 1) + name("t") + short(5) + padding) }
    expectFault("dimension of 0") { _ = try parse(header(tensors: 1) + name("t") + short(1) + word(0) + padding) }
    expectFault("no multiple of the alignment") { _ = try parse(header(tensors: 1) + tensor + word(4) + padding) }
    expectFault("no whole number of q8_0 blocks") {
      _ = try parse(header(tensors: 1) + name("t") + short(1) + word(33) + short(8) + word(0) + padding)
    }
    expectFault("tensor \"t\" stands twice") { _ = try parse(header(tensors: 2) + tensor + word(0) + tensor + word(32) + padding) }
    expectFault("overlap") {
      let long = name("t") + short(1) + word(16) + short(0) + word(0)
      _ = try parse(header(tensors: 2) + long + name("u") + short(1) + word(8) + short(0) + word(32) + padding)
    }
    for alignment in [UInt64(0), 3, 24, 1 << 40] {
      expectFault("general.alignment") {
        _ = try parse(header(entries: 1) + entry("general.alignment", type: 10) + word(alignment) + padding)
      }
    }
  }

  @Test func typesThatAreNotSupportedAreListedWithoutPlace() throws {
    let file = try parse(header(tensors: 1) + name("t") + short(1) + word(256) + short(10) + word(0) + padding)
    let info = try #require(file.tensors["t"])
    #expect(info.type == nil && info.range == nil && info.typeNumber == 10 && file.bytes(of: info) == nil)
  }

  @Test func everyTruncationIsRefused() throws {
    // The last tensor ends the file but for padding.
    let whole = GGUFWriter.bytes(metadata: [("k", .strings([[1], [2]]))], tensors: [vector("t", (0..<8).map(Float.init))])
    _ = try parse(whole)
    for length in 0..<whole.count { expectFault("") { _ = try parse([UInt8](whole.prefix(length))) } }
  }

  @Test func damagedFilesParseOrThrow() throws {
    var random = SplitMix(state: 11)
    let models = [try contents(Fixture.path("checkpoints/llama-tied.gguf")), try contents(Fixture.path("checkpoints/dequantisation.gguf"))]
    var sound = 0
    for round in 0..<8000 {
      let bytes = damaged(models[round % 2], reach: 2200, using: &random)
      sound +=
        survives {
          let file = try parse(bytes)
          for info in file.tensors.values { _ = file.bytes(of: info)?.withUnsafeBytes { $0.reduce(UInt8(0), &+) } }
          let checkpoint = try Checkpoint(gguf: file)
          for key in checkpoint.keys {
            _ = survives { _ = try checkpoint.matrix(key).widened() } || survives { _ = try checkpoint.vector(key) }
          }
        } ? 1 : 0
    }
    #expect(sound > 0 && sound < 8000)
  }

  @Test func missingFilesAndFoldersAreMissingInput() throws {
    try withFolder { folder in
      expectFault("No such file", code: .missingInput) { _ = try GGUFFile.open(at: folder + "/none.gguf") }
      expectFault("regular file", code: .missingInput) { _ = try GGUFFile.open(at: folder) }
      expectFault("NUL", code: .missingInput) { _ = try GGUFFile.open(at: folder + "/a\0b") }
      try write([], to: folder + "/empty.gguf")
      expectFault("empty.gguf: truncated") { _ = try GGUFFile.open(at: folder + "/empty.gguf") }
    }
  }

  // MARK: Bytes of a header

  private let padding = [UInt8](repeating: 0, count: 256)

  private func parse(_ bytes: [UInt8]) throws -> GGUFFile { try GGUFFile(parsing: MappedBytes(bytes), path: "memory") }

  private func header(version: UInt32 = 3, tensors: UInt64 = 0, entries: UInt64 = 0) -> [UInt8] {
    [UInt8]("GGUF".utf8) + short(version) + word(tensors) + word(entries)
  }

  private func short(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { [UInt8]($0) } }

  private func word(_ value: UInt64) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { [UInt8]($0) } }

  private func name(_ text: String) -> [UInt8] { word(UInt64(text.utf8.count)) + [UInt8](text.utf8) }

  private func entry(_ key: String, type: UInt32) -> [UInt8] { name(key) + short(type) }

  private func vector(_ name: String, _ values: [Float]) -> GGUFWriter.Tensor {
    GGUFWriter.Tensor(name, .f32, dimensions: [values.count], bytes: StoredType.f32.encoded(values))
  }
}
