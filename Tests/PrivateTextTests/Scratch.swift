import Foundation

/// A folder of its own for one test, removed with it.
final class Scratch {
  let path: String

  init() throws {
    path = "\(NSTemporaryDirectory())/fedsea-hdf5-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { "\(path)/\(name)" }
  func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
}

/// Path of a committed fixture.
func fixture(_ name: String) -> String {
  URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures/hdf5/\(name)").standardized.path
}

/// SplitMix64: the mutations of a fuzz test depend on its seed only.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// `valid`, cut off in one of eight cases, otherwise with 1 to 8 bytes set to random or telling values.
func mutate(_ valid: Data, using generator: inout SplitMix) -> Data {
  var bytes = valid
  if generator.next() % 8 == 0 { return bytes.prefix(Int(generator.next() % UInt64(bytes.count))) }
  // The structures stand in the first pages and at the end; long runs of zeros are no target.
  let telling = bytes.indices.filter { bytes[$0] != 0 || ($0 > 0 && bytes[$0 - 1] != 0) }
  for _ in 0...generator.next() % 8 {
    let index = telling[Int(generator.next() % UInt64(telling.count))]
    let values: [UInt8] = [
      0, 1, 0x7F, 0x80, 0xFF, bytes[index] &+ 1, bytes[index] ^ (1 << UInt8(generator.next() % 8)),
      UInt8(truncatingIfNeeded: generator.next()),
    ]
    bytes[index] = values[Int(generator.next() % 8)]
  }
  return bytes
}
