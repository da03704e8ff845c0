import Diagnostics
import Foundation

/// A file that appears under its name only when it is complete: written beside it, flushed to disk, then renamed.
///
/// Dropped without `finish()`, it leaves nothing behind.
struct AtomicFile: ~Copyable {
  private let path: String
  private let temporary: String
  private let descriptor: Int32

  /// Throws `Fault(.cannotCreate)` if the folder cannot be written.
  init(_ path: String) throws {
    guard !path.isEmpty, !path.contains("\0") else { throw Fault(.cannotCreate, "not a path", at: path) }
    var template = Array("\(path).partial-XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    guard descriptor >= 0 else { throw Fault(.cannotCreate, "cannot create: \(String(cString: strerror(errno)))", at: path) }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    self.path = path
    self.descriptor = descriptor
    temporary = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Appends all of `bytes`; throws `Fault(.inputOutput)`, for example when the disk is full.
  mutating func write(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes
    while !rest.isEmpty {
      let written = Foundation.write(descriptor, rest.baseAddress, rest.count)
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else { throw failure("cannot write") }
      rest = UnsafeRawBufferPointer(rebasing: rest[written...])
    }
  }

  mutating func write(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try write($0) }
  }

  /// Makes the file permanent under its name, replacing an older one.
  consuming func finish() throws {
    // mkstemp makes files private to the user; the finished one gets the usual rights.
    guard fsync(descriptor) == 0, fchmod(descriptor, 0o644) == 0 else { throw failure("cannot flush") }
    guard rename(temporary, path) == 0 else { throw failure("cannot rename") }
  }

  private func failure(_ what: String) -> Fault {
    Fault(.inputOutput, "\(what): \(String(cString: strerror(errno)))", at: path)
  }

  deinit {
    close(descriptor)
    unlink(temporary)  // fails harmlessly once `finish` has renamed it
  }
}
