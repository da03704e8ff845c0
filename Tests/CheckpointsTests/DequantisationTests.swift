import Checkpoints
import TestSupport
import Testing

@Suite struct DequantisationTests {
  @Test(arguments: StoredType.allCases.filter { $0 != .f32 })
  func equalsPythonBitForBit(_ type: StoredType) throws {
    let file = try GGUFFile.open(at: Fixture.path("checkpoints/dequantisation.gguf"))
    let stored = try matrix(type.rawValue.lowercased(), in: file)
    let expected = try matrix(type.rawValue.lowercased() + ".expected", in: file)
    #expect(stored.type == type && expected.type == .f32)
    #expect([stored.rows, stored.columns] == [expected.rows, expected.columns])
    #expect(stored.widened().map(\.bitPattern) == expected.widened().map(\.bitPattern))

    // Rows on their own, into a buffer with guards on both sides.
    for first in 0..<stored.rows {
      let rows = first..<min(first + 2, stored.rows)
      var buffer = [Float](repeating: 77, count: 2 + rows.count * stored.columns)
      buffer.withUnsafeMutableBufferPointer { stored.widen(rows: rows, into: $0.baseAddress! + 1) }
      let slice = expected.widened()[rows.lowerBound * stored.columns..<rows.upperBound * stored.columns]
      #expect(buffer.dropFirst().dropLast().map(\.bitPattern) == slice.map(\.bitPattern))
      #expect(buffer.first == 77 && buffer.last == 77)
    }
  }

  @Test func everyHalfWidensAsSwiftDoes() {
    let matrix = StoredMatrix(
      name: "all", type: .f16, rows: 1, columns: 1 << 16, bytes: MappedBytes((0..<1 << 16).flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }))
    for (bits, value) in matrix.widened().enumerated() {
      let expected = Float(Float16(bitPattern: UInt16(bits)))
      #expect(value.bitPattern == expected.bitPattern || (value.isNaN && expected.isNaN))
    }
  }

  @Test(arguments: StoredType.allCases)
  func notFiniteWeightsAreFound(_ type: StoredType) throws {
    let (rows, blocks) = (5, 3)
    let columns = blocks * type.blockLength
    let clean = [UInt8](repeating: 0x11, count: type.byteCount(rows: rows, columns: columns)!)
    func matrix(_ bytes: [UInt8]) -> StoredMatrix {
      StoredMatrix(name: "w", type: type, rows: rows, columns: columns, bytes: MappedBytes(bytes))
    }
    try matrix(clean).checkFinite()
    let high: [(Int, [UInt8])] =
      switch type {
      case .f32: [(2, [0xC0, 0x7F]), (2, [0x80, 0xFF])]
      case .f16: [(0, [0x00, 0x7C]), (0, [0x01, 0xFE])]
      case .bf16: [(0, [0xC0, 0x7F]), (0, [0x80, 0xFF])]
      case .q8_0, .q4_0, .q5_0: [(0, [0x00, 0x7C])]
      case .q4_1, .q5_1, .q4_K: [(0, [0x00, 0x7C]), (2, [0x00, 0xFE])]
      case .q6_K: [(208, [0x00, 0xFC])]
      }
    for (offset, bytes) in high {
      for block in [0, 7, rows * blocks - 1] {
        var damaged = clean
        damaged.replaceSubrange(block * type.bytesPerBlock + offset..<block * type.bytesPerBlock + offset + 2, with: bytes)
        expectFault("tensor \"w\" holds NaN or infinite weights, first in row \(block / blocks)") { try matrix(damaged).checkFinite() }
        #expect(matrix(damaged).widened().contains { !$0.isFinite })
      }
    }
  }

  @Test(arguments: [StoredType.f32, .f16, .bf16])
  func aLongCleanRunHidesNothing(_ type: StoredType) {
    var values = [Float](repeating: 1, count: 4099)
    for position in [0, 15, 16, 1023, 2047, 3071, 4080, 4098] {
      values[position] = .infinity
      let matrix = StoredMatrix(name: "w", type: type, rows: values.count, columns: 1, bytes: MappedBytes(type.encoded(values)))
      expectFault("first in row \(position)") { try matrix.checkFinite() }
      values[position] = 1
    }
  }

  @Test(arguments: [StoredType.q8_0, .q4_0, .q4_1, .q5_0, .q5_1])
  func encodedBlocksComeBackWithinAStep(_ type: StoredType) {
    var random = SplitMix(state: 3)
    let values = (0..<640).map { _ in Float.random(in: -1...1, using: &random) }
    let matrix = StoredMatrix(name: "w", type: type, rows: 10, columns: 64, bytes: MappedBytes(type.encoded(values)))
    // Half a step of the widest block, and one step where the coarsest code is missing on one side.
    let step: Float = [.q8_0: 1 / 127, .q4_0: 2 / 15, .q4_1: 2 / 15, .q5_0: 2 / 31, .q5_1: 2 / 31][type]!
    for (value, back) in zip(values, matrix.widened()) { #expect(abs(value - back) <= step * 1.01) }
  }

  private func matrix(_ name: String, in file: GGUFFile) throws -> StoredMatrix {
    let info = try #require(file.tensors[name])
    let bytes = try #require(file.bytes(of: info))
    return StoredMatrix(name: name, type: try #require(info.type), rows: info.dimensions[1], columns: info.dimensions[0], bytes: bytes)
  }
}
