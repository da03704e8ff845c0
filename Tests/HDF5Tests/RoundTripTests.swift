import Diagnostics
import Foundation
import HDF5
import TestSupport
import Testing

@Suite struct RoundTripTests {
  let scratch = try! Scratch()

  @Test func `attributes of every kind come back`() throws {
    let path = scratch.file("a.h5")
    let file = try HDF5File.create(path)
    let group = try file.root.createGroup("deep/er")
    try group.setAttribute("text", "Grüße 👋🏽\n")
    try group.setAttribute("empty", "")
    try group.setAttribute("texts", ["a", "", "ß"])
    try group.setAttribute("none", [String]())
    try group.setAttribute("integer", Int64.min)
    try group.setAttribute("real", 0.1)
    try file.close()
    let back = try HDF5File.open(path).root.group("deep/er")
    #expect(try back.text("text") == "Grüße 👋🏽\n")
    #expect(try back.text("empty") == "")
    #expect(try back.texts("texts") == ["a", "", "ß"])
    #expect(try back.texts("none") == [])
    #expect(try back.integer("integer") == .min)
    #expect(try back.real("real") == 0.1)
    #expect(try !back.hasAttribute("absent"))
    #expect(throws: Fault.self) { try back.text("absent") }
    #expect(throws: Fault.self) { try back.text("integer") }
    #expect(throws: Fault.self) { try back.integer("real") }
    #expect(throws: Fault.self) { try back.real("text") }
    #expect(throws: Fault.self) { try back.text("texts") }
  }

  @Test(arguments: [0, 4]) func `numbers come back over many chunks`(deflate: Int) throws {
    let path = scratch.file("n.h5")
    let floats = (0..<70_000 * 3).map { Float($0) * 0.37 - 1000 }
    let halves = (0..<9 * 5).map { Float16($0) / 8 - 2 }
    let file = try HDF5File.create(path)
    let storage = HDF5Storage(deflate: deflate)
    let f32 = try RowAppender<Float>("x/f32", in: file.root, columns: 3, storage: storage)
    let f16 = try RowAppender<Float16>("x/f16", in: file.root, columns: 5, storage: storage)
    let i32 = try RowAppender<Int32>("x/i32", in: file.root, columns: nil, storage: storage)
    let i64 = try RowAppender<Int64>("x/i64", in: file.root, columns: 1, storage: storage)
    var first = 0
    for rows in [1, 20_000, 0, 49_998, 1] {
      try f32.append(floats[first * 3..<(first + rows) * 3])
      first += rows
    }
    try f16.append(halves)
    try i32.append([.min, 0, .max])
    try i64.append([.min, 0, .max])
    for finish in [f32.finish, f16.finish, i32.finish, i64.finish] { try finish() }
    try file.close()

    let root = try HDF5File.open(path).root
    let dataset = try root.dataset("x/f32")
    #expect(dataset.shape == [70_000, 3] && dataset.kind == .float(bits: 32))
    #expect(try dataset.floats() == floats)
    #expect(try dataset.floats(69_990..<70_000) == Array(floats[69_990 * 3..<70_000 * 3]))
    #expect(try dataset.floats(5..<5) == [])
    #expect(try root.dataset("x/f16").kind == .float(bits: 16))
    #expect(try root.dataset("x/f16").floats() == halves.map(Float.init))
    #expect(try root.dataset("x/i32").integers() == [Int64(Int32.min), 0, Int64(Int32.max)])
    #expect(try root.dataset("x/i64").integers() == [.min, 0, .max])
    #expect(try root.dataset("x/i64").shape == [3, 1])
    #expect(throws: Fault.self) { try dataset.integers() }
    #expect(throws: Fault.self) { try dataset.strings() }
    #expect(throws: Fault.self) { try root.dataset("x/absent") }
    #expect(throws: Fault.self) { try root.dataset("x") }
    #expect(throws: Fault.self) { try root.group("x/f32") }
  }

  /// The library's own loop, word by word: big-endian words, sums with end-around carry after at most 360 words.
  private func plainChecksum(_ bytes: [UInt8]) -> UInt32 {
    var (one, two): (UInt32, UInt32) = (0, 0)
    for start in stride(from: 0, to: bytes.count, by: 720) {
      for i in stride(from: start, to: min(start + 720, bytes.count), by: 2) {
        one += UInt32(bytes[i]) << 8 | UInt32(bytes[i + 1])
        two += one
      }
      (one, two) = ((one & 0xffff) + (one >> 16), (two & 0xffff) + (two >> 16))
    }
    (one, two) = ((one & 0xffff) + (one >> 16), (two & 0xffff) + (two >> 16))
    return two << 16 | one
  }

  @Test(arguments: [0, 2, 30, 32, 34, 720, 11_520, 11_552, 131_072, 400_002]) func `checksums are those of the library`(size: Int) {
    var random = SplitMix(state: UInt64(size))
    let drawn = (0..<size).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    let patterns = [
      drawn, drawn.map { $0 & 1 }, [UInt8](repeating: 0, count: size), [UInt8](repeating: 255, count: size),
      (0..<size).map { $0 < size - 2 ? 0 : 255 }, (0..<size).map { $0 < 2 ? 255 : 0 },
    ]
    for (k, bytes) in patterns.enumerated() {
      #expect(bytes.withUnsafeBytes { Fletcher32.checksum($0) } == plainChecksum(bytes), "pattern \(k)")
    }
  }

  /// Chunks that are written past the library's filter are read through it, checksum and all; a flipped bit is found.
  @Test func `whole chunks of any content pass the library's checksum`() throws {
    let path = scratch.file("chunks.h5")
    let file = try HDF5File.create(path)
    let appender = try RowAppender<Int32>("x", in: file.root, columns: 64)
    let perChunk = HDF5Storage().rowsPerChunk(rowBytes: 256) * 64
    let values =
      [Int32](repeating: 0, count: perChunk) + [Int32](repeating: -1, count: perChunk) + (0..<Int32(perChunk + 640)).map { $0 &* 77 }
    try appender.append(values)
    try appender.finish()
    try file.close()
    #expect(try HDF5File.open(path).root.dataset("x").integers() == values.map(Int64.init))
    var bytes = try Data(contentsOf: URL(filePath: path))
    let run = try #require(bytes.range(of: Data(repeating: 255, count: 4096)))
    bytes[run.lowerBound + 100] ^= 4
    try bytes.write(to: URL(filePath: path))
    #expect(throws: Fault.self) { try HDF5File.open(path).root.dataset("x").integers() }
  }

  @Test func `strings come back`() throws {
    let path = scratch.file("s.h5")
    let texts = ["", "e\u{301}", "👩‍👩‍👧", "\u{202E}x\u{7}\r\n", String(repeating: "long ", count: 100_000)]
    let file = try HDF5File.create(path)
    let appender = try StringAppender("s", in: file.root)
    for text in texts { try appender.append([text]) }
    try appender.append(texts)
    #expect(throws: Fault.self) { try appender.append(["a\0b"]) }
    try file.close()
    #expect(try HDF5File.open(path).root.dataset("s").strings().map { Array($0.utf8) } == (texts + texts).map { Array($0.utf8) })
  }

  @Test func `an empty dataset keeps its shape`() throws {
    let path = scratch.file("e.h5")
    let file = try HDF5File.create(path)
    try RowAppender<Float>("x", in: file.root, columns: 7).finish()
    _ = try StringAppender("s", in: file.root)
    try file.close()
    let root = try HDF5File.open(path).root
    #expect(try root.dataset("x").shape == [0, 7])
    #expect(try root.dataset("x").floats() == [])
    #expect(try root.dataset("s").strings() == [])
  }

  @Test func `the bytes depend neither on the grouping of rows nor on the time`() throws {
    func write(_ name: String, pieces: Int) throws -> Data {
      let file = try HDF5File.create(scratch.file(name))
      let appender = try RowAppender<Float>("group/x", in: file.root, columns: 11)
      let values = (0..<50_000 * 11).map { Float($0) }
      let step = 50_000 / pieces * 11
      for start in stride(from: 0, to: values.count, by: step) { try appender.append(values[start..<min(start + step, values.count)]) }
      try appender.finish()
      try file.close()
      return try Data(contentsOf: URL(filePath: scratch.file(name)))
    }
    let whole = try write("1.h5", pieces: 1)
    let other = try write("2.h5", pieces: 1000)
    Thread.sleep(forTimeInterval: 1.1)
    let third = try write("3.h5", pieces: 7)
    #expect(other.count == whole.count && third.count == whole.count)
    for (index, (a, (b, c))) in zip(whole, zip(other, third)).enumerated() where a != b || a != c {
      Issue.record("byte \(index) is \(a), \(b), \(c)")
      break
    }
  }

  @Test func `many threads may use files at once`() async throws {
    let scratch = try Scratch()
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for worker in 0..<8 {
        let path = scratch.file("\(worker).h5")
        group.addTask {
          let file = try HDF5File.create(path)
          let appender = try RowAppender<Int64>("x", in: file.root, columns: nil)
          for i in 0..<2000 { try appender.append(CollectionOfOne(Int64(i * worker))) }
          try appender.finish()
          try file.close()
          return try HDF5File.open(path).root.dataset("x").integers() == (0..<2000).map { Int64($0 * worker) }
        }
      }
      for try await equal in group { #expect(equal) }
    }
  }
}
