import Diagnostics
import Foundation

/// errno and Foundation errors → `Fault`: 74 for a full disk, 73 for a place that cannot be written.
enum SystemError {
  static func fault(_ number: Int32, _ message: String, at place: String) -> Fault {
    let reason = String(cString: strerror(number))
    switch number {
    case ENOSPC, EDQUOT, EFBIG: return Fault(.inputOutput, "\(message): the disk is full", at: place, hint: "free some space and try again")
    case EACCES, EPERM, EROFS, ENOTDIR, EEXIST, ENOENT:
      return Fault(.cannotCreate, "\(message): \(reason)", at: place, hint: "check the owner and the rights of the folder")
    default: return Fault(.inputOutput, "\(message): \(reason)", at: place)
    }
  }

  /// Runs `body`; what it throws becomes a `Fault` about `place`.
  static func guarding<T>(_ message: String, at place: String, _ body: () throws -> T) throws -> T {
    do { return try body() } catch let fault as Fault { throw fault } catch {
      throw fault(posixCode(error as NSError), message, at: place)
    }
  }

  /// The POSIX code behind a Foundation error, `EIO` when there is none.
  private static func posixCode(_ error: NSError) -> Int32 {
    if error.domain == NSPOSIXErrorDomain { return Int32(truncatingIfNeeded: error.code) }
    if let inner = error.userInfo[NSUnderlyingErrorKey] as? NSError { return posixCode(inner) }
    switch CocoaError.Code(rawValue: error.code) {
    case .fileWriteOutOfSpace: return ENOSPC
    case .fileWriteNoPermission: return EACCES
    case .fileWriteVolumeReadOnly: return EROFS
    case .fileWriteFileExists: return EEXIST
    case .fileNoSuchFile, .fileReadNoSuchFile: return ENOENT
    default: return EIO
    }
  }
}
