import CHDF5
import Diagnostics
import Synchronization

/// The door to libhdf5. HDF5 is not thread-safe: the library keeps global tables of handles, caches and errors, and its optional "thread-safe"
/// build only wraps the same global lock around each call. So every call of this module goes through this one lock, together with the
/// reading of the error stack it leaves behind. Bodies touch raw handle numbers only: releasing a `Handle` inside one would deadlock.
enum Library {
  /// True once the library has been started. The one piece of state of this module: it guards state that libhdf5 keeps per process.
  private static let started = Mutex(false)

  /// Runs one library call under the lock; a negative result becomes a `Fault` with the message of HDF5's innermost error.
  @discardableResult
  static func call<R: SignedInteger>(
    _ action: @autoclosure () -> String, at path: String, _ code: Fault.Code = .invalidData, _ body: () -> R
  ) throws -> R {
    let (result, cause) = exclusively { () -> (R, String?) in
      let result = body()
      return (result, result < 0 ? innermostError() : nil)
    }
    guard let cause else { return result }
    throw Fault(
      outOfSpace(cause) ? .inputOutput : code, "\(action()): \(cause)", at: path, hint: outOfSpace(cause) ? "free some space" : nil)
  }

  /// Runs `body` under the lock, with automatic printing of errors off (it is a setting per thread in thread-safe builds) and an empty stack.
  static func exclusively<R>(_ body: () -> R) -> R {
    started.withLock { started in
      if !started {
        // Every file is closed by name or by its last reference; at exit libhdf5 would only trip over one that it could not close.
        H5dont_atexit()
        H5open()
        // Files may name filters; HDF5 would load them as shared libraries from a plug-in folder.
        H5PLset_loading_state(0)
        started = true
      }
      H5Eset_auto2(fedsea_h5_error_stack(), nil, nil)
      H5Eclear2(fedsea_h5_error_stack())
      return body()
    }
  }

  /// The description of the error at the bottom of the stack: the cause, not its consequences.
  private static func innermostError() -> String {
    var message = "unknown HDF5 error"
    withUnsafeMutablePointer(to: &message) { message in
      _ = H5Ewalk2(
        fedsea_h5_error_stack(), H5E_WALK_UPWARD,
        { position, error, data in
          if position == 0, let data, let text = error?.pointee.desc {
            data.assumingMemoryBound(to: String.self).pointee = String(cString: text)
          }
          return 0
        }, message)
    }
    return message
  }

  private static func outOfSpace(_ cause: String) -> Bool {
    cause.contains("No space left") || cause.contains("File too large") || cause.contains("quota")
  }
}

/// One open HDF5 identifier; closed with its last reference.
final class Handle: Sendable {
  enum Kind { case file, object, group, dataset, attribute, space, type, properties }

  let id: hid_t
  private let kind: Kind
  private let closed = Atomic(false)

  /// Opens by `body`; the location of a fault is `path`.
  init(_ kind: Kind, _ action: @autoclosure () -> String, at path: String, _ code: Fault.Code = .invalidData, _ body: () -> hid_t) throws {
    self.kind = kind
    id = try Library.call(action(), at: path, code, body)
  }

  /// Closes now, under the lock; once only, since libhdf5 leaves a dangling identifier behind where closing fails.
  @discardableResult
  func close() -> herr_t {
    guard !closed.exchange(true, ordering: .relaxed) else { return 0 }
    // Closing the file may have closed this already; libhdf5 does not reuse the number, and says so with an error that nobody needs.
    switch kind {
    case .file: return H5Fclose(id)
    case .object: return H5Oclose(id)
    case .group: return H5Gclose(id)
    case .dataset: return H5Dclose(id)
    case .attribute: return H5Aclose(id)
    case .space: return H5Sclose(id)
    case .type: return H5Tclose(id)
    case .properties: return H5Pclose(id)
    }
  }

  deinit { Library.exclusively { _ = close() } }
}
