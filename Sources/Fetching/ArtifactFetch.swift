import Diagnostics
package import Foundation

/// A line about a fetch, for standard error.
package enum FetchEvent: Sendable, Hashable {
  case alreadyThere(URL)
  case waiting
  /// Bytes on disk so far, of about `expected`.
  case downloading(bytes: Int, expected: Int)
  case unpacking
  case done(URL)
}

extension ArtifactStore {
  /// Fetches an artifact unless it is there and intact; returns its file or folder.
  ///
  /// Downloads into a working folder beside the target, checks the package's and the content's SHA-256, and moves the content into place in
  /// one step, so that an interrupted fetch leaves nothing under the target's name. Concurrent fetches wait for each other.
  /// Throws `Fault`: 69 without python3, pip or network; 65 for a wrong hash (the target is left as it was); 73 unwritable; 74 disk full.
  package func fetch(
    _ manifest: ArtifactManifest, client: PackageClient = PackageClient(), report: (FetchEvent) -> Void = { _ in }
  ) throws -> URL {
    try manifest.validate()
    let folder = folder(of: manifest)
    let target = folder.appending(path: manifest.content.target)
    if (try? verified(manifest)) != nil {
      report(.alreadyThere(target))
      return target
    }
    try SystemError.guarding("cannot create the folder", at: folder.path) {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }
    let lock = try FetchLock(file: folder.appending(path: ".lock"), timeout: 3_600) { report(.waiting) }
    defer { withExtendedLifetime(lock) {} }
    if (try? verified(manifest)) != nil {
      report(.alreadyThere(target))
      return target
    }
    let work = folder.appending(path: ".fetching")
    try? FileManager.default.removeItem(at: work)
    try SystemError.guarding("cannot create the folder", at: work.path) {
      try FileManager.default.createDirectory(at: work, withIntermediateDirectories: false)
    }
    defer { try? FileManager.default.removeItem(at: work) }
    let package = try client.download(manifest.source, work: work) {
      report(.downloading(bytes: $0, expected: manifest.source.bytes))
    }
    report(.unpacking)
    let folderOfPackage = try client.unpack(package, work: work)
    let content = try client.member(manifest.content.member, of: folderOfPackage, package: package.lastPathComponent, work: work)
    try ArtifactStore.check(content, manifest.content, name: manifest.name)
    try put(content, at: target, aside: work.appending(path: "replaced"))
    report(.done(target))
    return target
  }

  /// Moves `content` to `target`; what stood there (a damaged earlier copy) goes to `aside` first.
  private func put(_ content: URL, at target: URL, aside: URL) throws {
    try SystemError.guarding("cannot move the content into place", at: target.path) {
      if (try? FileManager.default.attributesOfItem(atPath: target.path)) != nil {
        try FileManager.default.moveItem(at: target, to: aside)
      }
      try FileManager.default.moveItem(at: content, to: target)
    }
  }
}
