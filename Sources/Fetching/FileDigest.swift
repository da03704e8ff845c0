import Crypto
import Diagnostics
package import Foundation

/// SHA-256 of bytes, files and folders; lowercase hex.
package enum FileDigest {
  package static func hex(of bytes: some DataProtocol) -> String { hex(SHA256.hash(data: bytes)) }

  /// Streams the file in pieces of 1 MiB. Throws `Fault` 66 when it cannot be opened, 74 when reading fails.
  package static func file(_ url: URL) throws -> String {
    guard let handle = FileHandle(forReadingAtPath: url.path) else {
      throw Fault(.missingInput, "the file cannot be read", at: url.path)
    }
    defer { try? handle.close() }
    var hash = SHA256()
    do {
      while let piece = try handle.read(upToCount: 1 << 20), !piece.isEmpty { hash.update(data: piece) }
    } catch { throw Fault(.inputOutput, "reading failed: \(error.localizedDescription)", at: url.path) }
    return hex(hash.finalize())
  }

  /// SHA-256 of a folder: of the text of one line `<sha256>  <relative path>\n` per regular file, sorted by the bytes of the path.
  /// The shell says the same: `find * -type f | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum`. `bytes` is the sum of sizes.
  package static func tree(_ folder: URL) throws -> (sha256: String, bytes: Int) {
    guard let names = FileManager.default.subpaths(atPath: folder.path) else {
      throw Fault(.missingInput, "the folder cannot be read", at: folder.path)
    }
    var (listing, total) = ("", 0)
    for name in names.sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
      let file = folder.appending(path: name)
      let attributes = try? FileManager.default.attributesOfItem(atPath: file.path)
      guard attributes?[.type] as? FileAttributeType == .typeRegular else { continue }
      listing += "\(try FileDigest.file(file))  \(name)\n"
      total += (attributes?[.size] as? NSNumber)?.intValue ?? 0
    }
    return (hex(of: Data(listing.utf8)), total)
  }

  private static func hex(_ digest: SHA256.Digest) -> String {
    digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
