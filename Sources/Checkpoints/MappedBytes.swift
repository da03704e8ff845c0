import Diagnostics

/// A slice of a read-only file mapping, or of bytes in memory. Copies share the memory and keep it alive.
package struct MappedBytes: Sendable {
  private let storage: ByteStorage
  private let range: Range<Int>

  private init(storage: ByteStorage, range: Range<Int>) {
    (self.storage, self.range) = (storage, range)
  }

  /// All of the file at `path`, mapped; throws `Fault(.missingInput)` unless it is a readable regular file.
  package init(contentsOf path: String) throws {
    let storage = try ByteStorage(mapping: path)
    self.init(storage: storage, range: 0..<storage.bytes.count)
  }

  /// `count` bytes of our own at a 64-byte boundary, zeroed and then written by `fill`.
  package init(count: Int, fill: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
    let storage = try ByteStorage(count: count, fill: fill)
    self.init(storage: storage, range: 0..<count)
  }

  /// A copy of `bytes`.
  package init(_ bytes: [UInt8]) {
    self.init(count: bytes.count) { $0.copyBytes(from: bytes) }
  }

  package var count: Int { range.count }

  /// Calls `body` with the bytes, which are valid only during the call.
  package func withUnsafeBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(storage) {} }
    return try body(UnsafeRawBufferPointer(rebasing: storage.bytes[range]))
  }

  /// The bytes `range` of this slice, without a copy; traps unless they lie inside.
  package func slice(_ range: Range<Int>) -> MappedBytes {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "bytes \(range) of \(count)")
    return MappedBytes(storage: storage, range: self.range.lowerBound + range.lowerBound..<self.range.lowerBound + range.upperBound)
  }

  /// This slice if its first byte lies at a multiple of `alignment`, else a copy that does.
  func aligned(to alignment: Int) -> MappedBytes {
    withUnsafeBytes { bytes in
      if UInt(bitPattern: bytes.baseAddress) % UInt(alignment) == 0 { return self }
      return MappedBytes(count: bytes.count) { $0.copyMemory(from: bytes) }
    }
  }
}
