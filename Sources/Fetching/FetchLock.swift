import Diagnostics
import Foundation

/// An exclusive lock on a folder, held by an open file; the kernel drops it when the process ends, however it ends.
final class FetchLock {
  private let descriptor: Int32

  /// Waits until no other process (or thread) holds the lock; calls `waiting` once when it has to wait.
  /// Throws `Fault` 73 or 74 when the lock file cannot be made, 69 after `timeout` seconds.
  init(file: URL, timeout: Double, waiting: () -> Void) throws {
    descriptor = open(file.path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw SystemError.fault(errno, "cannot create the lock", at: file.path) }
    let start = ProcessInfo.processInfo.systemUptime
    var told = false
    while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      let code = errno
      guard code == EWOULDBLOCK || code == EINTR else {
        close(descriptor)
        throw SystemError.fault(code, "cannot lock", at: file.path)
      }
      if !told { waiting() }
      told = true
      guard ProcessInfo.processInfo.systemUptime - start < timeout else {
        close(descriptor)
        throw Fault(.unavailable, "another fetch has held the lock for \(Int(timeout)) s", at: file.path, hint: "wait for it, or end it")
      }
      Thread.sleep(forTimeInterval: 0.1)
    }
  }

  deinit { close(descriptor) }
}
