package import Foundation
import Diagnostics

/// Files that are either the old one or the whole new one, even when the process dies half way.
package enum AtomicFile {
  /// Writes `data` beside `url` under a temporary name, forces it to disk and renames it over `url`.
  ///
  /// - Parameter isPrivate: nobody but the owner may read the file (mode 0600).
  /// - Throws: `Fault` 73 if the file cannot be created or replaced, 74 if writing fails (for example on a full disk). The temporary file is removed.
  package static func write(_ data: Data, to url: URL, isPrivate: Bool = false) throws {
    let temporary = url.deletingLastPathComponent().appendingPathComponent(".\(url.lastPathComponent).\(UUID().uuidString).tmp")
    guard
      FileManager.default.createFile(
        atPath: temporary.path, contents: nil, attributes: isPrivate ? [.posixPermissions: 0o600] : nil)
    else {
      throw Fault(
        .cannotCreate, "cannot create a file in this folder",
        at: url.deletingLastPathComponent().path, hint: "check that the folder exists and may be written to")
    }
    do {
      let handle = try FileHandle(forWritingTo: temporary)
      defer { try? handle.close() }
      try handle.write(contentsOf: data)
      try handle.synchronize()
    } catch {
      try? FileManager.default.removeItem(at: temporary)
      throw Fault(.inputOutput, "cannot write \(data.count) bytes: \(reason(error))", at: url.path, hint: "is the disk full?")
    }
    guard rename(temporary.path, url.path) == 0 else {
      let why = NSError(domain: NSPOSIXErrorDomain, code: Int(errno)).localizedDescription
      try? FileManager.default.removeItem(at: temporary)
      throw Fault(.cannotCreate, "cannot replace the file: \(why)", at: url.path)
    }
  }

  /// Writes a text as UTF-8.
  package static func write(_ text: String, to url: URL) throws { try write(Data(text.utf8), to: url) }

  /// Reads a whole file of at most `limit` bytes.
  ///
  /// - Throws: `Fault` 66 if it is missing or unreadable, 65 if it is larger.
  package static func read(_ url: URL, limit: Int) throws -> Data {
    let attributes: [FileAttributeKey: Any]
    do { attributes = try FileManager.default.attributesOfItem(atPath: url.path) } catch {
      throw Fault(.missingInput, "there is no such file", at: url.path, hint: "give the folder of a run, the one that holds record.json")
    }
    if let size = attributes[.size] as? Int, size > limit {
      throw Fault(.invalidData, "the file has \(size) bytes, more than the \(limit) that a run can write", at: url.path)
    }
    do { return try Data(contentsOf: url) } catch { throw Fault(.missingInput, "cannot be read: \(reason(error))", at: url.path) }
  }

  private static func reason(_ error: any Error) -> String {
    let error = error as NSError
    if let cause = error.userInfo[NSUnderlyingErrorKey] as? NSError { return cause.localizedDescription }
    return error.localizedDescription
  }
}
