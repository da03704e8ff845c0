import Fetching
import Foundation

/// A folder for one test with a small wheel in it, and a pip that sees nothing else.
final class TinyPackage {
  let folder: URL
  let client: PackageClient
  let text = "a file of a package\n"
  let version = "1.0"

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "fetching-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder.appending(path: "index"), withIntermediateDirectories: true)
    var environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("PIP_") }
    environment["PIP_NO_INDEX"] = "1"
    environment["PIP_NO_CACHE_DIR"] = "1"
    environment["PIP_FIND_LINKS"] = folder.appending(path: "index").path
    client = PackageClient(environment: environment)
    try makeWheel()
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  var wheel: URL { folder.appending(path: "index/tinytext-\(version)-py3-none-any.whl") }

  private func makeWheel() throws {
    let script = """
      import io, sys, tarfile, zipfile
      info = "tinytext-1.0.dist-info/"
      with zipfile.ZipFile(sys.argv[1], "w") as out:
        out.writestr("tinytext/data/a.txt", sys.argv[2])
        out.writestr("tinytext/data/sub/b.txt", "b")
        inner = io.BytesIO()
        with tarfile.open(fileobj=inner, mode="w:gz") as tar:
          entry = tarfile.TarInfo("in/c.txt")
          entry.size = len(sys.argv[2])
          tar.addfile(entry, io.BytesIO(sys.argv[2].encode()))
        out.writestr("tinytext/inner.tar.gz", inner.getvalue())
        out.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: tinytext\\nVersion: 1.0\\n")
        out.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        out.writestr(info + "RECORD", "")
      """
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", "-c", script, wheel.path, text]
    try process.run()
    process.waitUntilExit()
  }

  var store: ArtifactStore { ArtifactStore(root: folder.appending(path: "project"), datasets: [manifest()]) }

  func manifest(sha256: String? = nil, contentSHA256: String? = nil, member: String = "tinytext/data/a.txt") -> ArtifactManifest {
    let package = (try? FileDigest.file(wheel)) ?? ""
    return ArtifactManifest(
      name: "tiny", kind: .dataset, description: "a test", licence: "CC0-1.0",
      source: PackageSource(package: "tinytext", version: version, form: .wheel, sha256: sha256 ?? package, bytes: 500),
      content: PackageContent(
        shape: .file, member: member, target: "a.txt", sha256: contentSHA256 ?? FileDigest.hex(of: Data(text.utf8)), bytes: text.utf8.count)
    )
  }

  /// Names in the artifact's folder, the lock aside.
  var kept: [String] {
    let place = store.folder(of: manifest()).path
    return ((try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []).filter { $0 != ".lock" }.sorted()
  }
}
