import Diagnostics
import Foundation

/// Memory that lives as long as this object: a read-only file mapping, or bytes of our own.
///
/// Unsafe because a mapping has no safe owner in Swift. Sendable because nothing writes to the memory once `init` has returned, and
/// the pointer leaves only inside `MappedBytes.withUnsafeBytes`, which holds a reference.
final class ByteStorage: @unchecked Sendable {
  let bytes: UnsafeRawBufferPointer
  private let isMapping: Bool

  /// Maps the regular file at `path` read-only. An empty file gives no bytes.
  ///
  /// The length is read once, here; every offset is checked against it. A file that another process truncates *while* it is mapped
  /// still ends the process with SIGBUS when its missing pages are read, as in any program that maps files.
  init(mapping path: String) throws {
    let descriptor = path.contains("\0") ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      let reason = path.contains("\0") ? "the path contains a NUL" : String(cString: strerror(errno))
      throw Fault(.missingInput, "cannot open: \(reason)", at: path)
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw Fault(.missingInput, "expected a regular file", at: path)
    }
    isMapping = true
    guard status.st_size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let count = Int(exactly: status.st_size), let base = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED
    else {
      throw Fault(.inputOutput, "cannot map \(status.st_size) bytes: \(String(cString: strerror(errno)))", at: path)
    }
    bytes = UnsafeRawBufferPointer(start: base, count: count)
  }

  /// Allocates `count` zeroed bytes at a 64-byte boundary and lets `fill` write them.
  init(count: Int, fill: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
    precondition(count >= 0, "\(count) bytes")
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 64)
    buffer.initializeMemory(as: UInt8.self, repeating: 0)
    isMapping = false
    bytes = UnsafeRawBufferPointer(buffer)
    try fill(buffer)
  }

  deinit {
    if isMapping {
      if let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
    } else {
      bytes.deallocate()
    }
  }
}
