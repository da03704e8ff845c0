import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite struct SafetensorsTests {
  private func parse(_ header: String, data: Int = 0) throws -> SafetensorsFile {
    let header = [UInt8](header.utf8)
    let length = withUnsafeBytes(of: UInt64(header.count).littleEndian) { [UInt8]($0) }
    return try SafetensorsFile(parsing: MappedBytes(length + header + [UInt8](repeating: 0, count: data)), path: "memory")
  }

  @Test func readsScalarsEmptyTensorsAndMetadata() throws {
    let file = try parse(
      """
      {"__metadata__":{"format":"pt"},"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"e":{"dtype":"F16","shape":[0,7],"data_offsets":[4,4]},\
      "i":{"dtype":"I64","shape":[2],"data_offsets":[4,20]}}
      """, data: 20)
    #expect(file.metadata == ["format": "pt"])
    #expect(file.tensors["s"]?.shape == [] && file.tensors["s"]?.type == .f32)
    #expect(file.tensors["e"]?.shape == [0, 7])
    #expect(file.tensors["i"]?.type == nil)
  }

  @Test func unsoundHeadersAreRefused() {
    func entry(_ dtype: String = "F32", _ shape: String = "[2]", _ offsets: String = "[0,8]") -> String {
      "{\"dtype\":\"\(dtype)\",\"shape\":\(shape),\"data_offsets\":\(offsets)}"
    }
    func refuse(_ words: String, _ header: String, data: Int = 8, line: SourceLocation = #_sourceLocation) {
      expectFault(words, sourceLocation: line) { _ = try parse(header, data: data) }
    }
    refuse("stands twice", "{\"a\":\(entry()),\"a\":\(entry())}")
    refuse("stands twice", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"shape\":[2],\"data_offsets\":[0,8]}}")
    refuse("overlaps", "{\"a\":\(entry()),\"b\":\(entry("F32", "[1]", "[4,8]"))}")
    refuse("gap", "{\"a\":\(entry("F32", "[1]", "[4,8]"))}")
    refuse("belong to no tensor", "{\"a\":\(entry())}", data: 9)
    refuse("no data_offsets within", "{\"a\":\(entry())}", data: 7)
    refuse("no data_offsets within", "{\"a\":\(entry("F32", "[2]", "[8,0]"))}")
    refuse("no data_offsets within", "{\"a\":\(entry("F32", "[2]", "[-8,0]"))}")
    refuse("no data_offsets within", "{\"a\":\(entry("F32", "[2]", "[0,9223372036854775807]"))}")
    refuse("no data_offsets within", "{\"a\":\(entry("F32", "[2]", "[0,1e300]"))}")
    refuse("no data_offsets within", "{\"a\":\(entry("F32", "[2]", "[0,8,8]"))}")
    refuse("no data_offsets within", "{\"a\":\(entry("F32", "[2]", "[0.5,8]"))}")
    refuse("span 8", "{\"a\":\(entry("F32", "[3]"))}")
    refuse("span 8", "{\"a\":\(entry("F16", "[2]"))}")
    refuse("no valid shape", "{\"a\":\(entry("F32", "[-2]"))}")
    refuse("no valid shape", "{\"a\":\(entry("F32", "2"))}")
    refuse("no valid shape", "{\"a\":\(entry("F32", "[true]"))}")
    refuse("too large", "{\"a\":\(entry("F32", "[4611686018427387904,4]"))}")
    refuse("no valid shape", "{\"a\":\(entry("F32", "[1e19]"))}")
    refuse("no known dtype", "{\"a\":\(entry("F128"))}")
    refuse("no known dtype", "{\"a\":[]}")
    refuse("__metadata__", "{\"__metadata__\":{\"a\":1},\"a\":\(entry())}")
    refuse("no JSON object", "[]")
    refuse("no JSON object", " {\"a\":\(entry())}")
    refuse("invalid JSON", "{\"a\":\(entry())")
    refuse("nested more than", "{\"a\":" + String(repeating: "[", count: 1_000_000))
  }

  @Test func hostileHeaderLengthsAreRefused() {
    for length in [UInt64(100_000_001), 1 << 62, 1 << 63, .max] {
      let bytes = withUnsafeBytes(of: length.littleEndian) { [UInt8]($0) } + [0x7B, 0x7D]
      expectFault("header length") { _ = try SafetensorsFile(parsing: MappedBytes(bytes), path: "memory") }
    }
    expectFault("truncated: the header needs 3") {
      _ = try SafetensorsFile(parsing: MappedBytes([3, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0x7D]), path: "memory")
    }
    expectFault("truncated") { _ = try SafetensorsFile(parsing: MappedBytes([3, 0, 0]), path: "memory") }
  }

  @Test func damagedFilesParseOrThrow() throws {
    var random = SplitMix(state: 12)
    let file = try contents(Fixture.path("checkpoints/mistral-f16/model.safetensors"))
    let headerLength = Int(file[0]) | Int(file[1]) << 8
    var sound = 0
    for _ in 0..<6000 {
      let bytes = damaged(file, reach: headerLength + 8, using: &random)
      sound +=
        survives {
          let file = try SafetensorsFile(parsing: MappedBytes(bytes), path: "memory")
          for info in file.tensors.values { _ = file.bytes(of: info).withUnsafeBytes { $0.reduce(UInt8(0), &+) } }
        } ? 1 : 0
    }
    #expect(sound > 0 && sound < 6000)
  }
}
