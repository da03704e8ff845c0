import Checkpoints
import Diagnostics
import Foundation
import TestSupport
import Testing

@Suite struct WriterTests {
  @Test func tensorsAreWrittenInPieces() throws {
    try withFolder { folder in
      let path = folder + "/a.safetensors"
      let values = (0..<600_000).map { Float($0 % 1024) / 8 }
      var writer = try SafetensorsWriter(
        to: path,
        entries: [
          .init("big", shape: [600, 1000 - 1]), .init("empty", .f16, shape: [0, 3]), .init("\"é\n", .bf16, shape: []),
          .init("h", .f16, shape: [599]),
        ],
        metadata: ["k\"": "v\\"])
      // One call spans several tensors, another ends inside one.
      try writer.write(Array(values[0..<10]))
      try writer.write(Array(values[10..<599_900]))
      #expect(!FileManager.default.fileExists(atPath: path))
      try writer.write(Array(values[599_900...]))
      try writer.finish()
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a.safetensors"])

      let file = try SafetensorsFile.open(at: path)
      #expect(file.metadata == ["k\"": "v\\"])
      #expect(file.tensors["empty"]?.shape == [0, 3])
      func read(_ name: String) throws -> [Float] {
        let info = try #require(file.tensors[name])
        let count = info.shape.reduce(1, *)
        return StoredMatrix(name: name, type: try #require(info.type), rows: 1, columns: count, bytes: file.bytes(of: info)).widened()
      }
      #expect(try read("big") == Array(values[..<599_400]))
      #expect(try read("\"é\n") == [values[599_400]])
      #expect(try read("h") == Array(values[599_401...]))
    }
  }

  @Test func anUnfinishedFileLeavesNothing() throws {
    try withFolder { folder in
      try write([1, 2, 3], to: folder + "/a.safetensors")
      do {
        var writer = try SafetensorsWriter(to: folder + "/a.safetensors", entries: [.init("t", shape: [4])])
        try writer.write([1, 2])
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a.safetensors"])
      #expect(try contents(folder + "/a.safetensors") == [1, 2, 3])
    }
  }

  @Test func placesThatCannotBeWrittenAreReported() throws {
    expectFault("cannot create", code: .cannotCreate) { _ = try GGUFWriter.write(to: "/nonexistent/a.gguf", metadata: [], tensors: []) }
    expectFault("cannot create the folder", code: .cannotCreate) {
      try CheckpointWriter.writeFolder(tiny, at: "/dev/null/x", weights: exactWeights)
    }
    expectFault("not a path", code: .cannotCreate) { _ = try GGUFWriter.write(to: "a\0b", metadata: [], tensors: []) }
    try withFolder { folder in
      try FileManager.default.createDirectory(atPath: folder + "/taken.gguf", withIntermediateDirectories: false)
      expectFault("cannot rename", code: .inputOutput) { _ = try GGUFWriter.write(to: folder + "/taken.gguf", metadata: [], tensors: []) }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["taken.gguf"])
    }
  }

  @Test func sixteenBitFloatsRoundToNearestEven() {
    // bf16 keeps 8 bits of the mantissa: 1 + 2^-8 is a tie and goes to 1, 1 + 3·2^-8 goes to 1 + 2^-6.
    let cases: [(Float, UInt16)] = [
      (1, 0x3F80), (1.00390625, 0x3F80), (1.01171875, 0x3F82), (-0.0, 0x8000), (.infinity, 0x7F80), (.greatestFiniteMagnitude, 0x7F80),
      (0x1p-149, 0x0000),
    ]
    for (value, bits) in cases { #expect(StoredType.bf16.encoded([value]) == [UInt8(bits & 255), UInt8(bits >> 8)]) }
    let nan = StoredType.bf16.encoded([Float(bitPattern: 0x7F80_0001)])
    #expect(nan[1] == 0x7F && nan[0] > 0x80)
    #expect(StoredType.f16.encoded([65504]) == [0xFF, 0x7B])
  }
}
