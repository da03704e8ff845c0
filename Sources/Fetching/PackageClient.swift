import Diagnostics
import Foundation

/// The ordinary client of the Python package index: `python3 -m pip download`, as the user has configured it (indexes, proxies, certificates).
package struct PackageClient: Sendable {
  /// Program name or path.
  package var python: String
  package var environment: [String: String]

  package init(python: String = "python3", environment: [String: String] = ProcessInfo.processInfo.environment) {
    (self.python, self.environment) = (python, environment)
  }

  /// Downloads the pinned package into `work/package` and checks its size and SHA-256. `progress` gets the bytes written so far.
  ///
  /// Throws `Fault`: 69 without python3, pip, network or that version; 65 for another hash; 73 and 74 for the disk.
  func download(_ source: PackageSource, work: URL, progress: (Int) -> Void) throws -> URL {
    let folder = work.appending(path: "package")
    let requirement = "\(source.package)==\(source.version)"
    var arguments = [
      "-m", "pip", "download", "--no-deps", "--ignore-requires-python", "--disable-pip-version-check", "--no-input",
    ]
    arguments += ["--progress-bar", "off", "--dest", folder.path]
    switch source.form {
    case .wheel: arguments += ["--only-binary", ":all:", requirement]
    case .sdist:
      // pip runs a source package's build script to learn its metadata, so here pip itself has to refuse another hash before that.
      let file = work.appending(path: "requirements.txt")
      try SystemError.guarding("cannot write", at: file.path) {
        try Data("\(requirement) --hash=sha256:\(source.sha256)\n".utf8).write(to: file)
      }
      arguments += ["--no-binary", ":all:", "--require-hashes", "--requirement", file.path]
    }
    let outcome = try run(arguments, work: work) { progress(PackageClient.bytes(in: work)) }
    guard outcome.status == 0 else { throw failure(outcome.output, source) }
    let files = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter { !$0.hasPrefix(".") }
    guard files.count == 1, let name = files.first else {
      throw Fault(.invalidData, "pip downloaded \(files.count) files for \(requirement), expected one")
    }
    let file = folder.appending(path: name)
    let found = try FileDigest.file(file)
    guard found == source.sha256 else { throw PackageClient.mismatch(requirement, expected: source.sha256, found: found) }
    return file
  }

  /// Unpacks a package whose hash has been checked, or an archive inside one, into the folder `work/name`. Throws `Fault` 65, 69, 73, 74.
  func unpack(_ file: URL, work: URL, to name: String = "unpacked") throws -> URL {
    let folder = work.appending(path: name)
    let isZip = ["whl", "zip"].contains(file.pathExtension)
    let outcome = try run(["-m", isZip ? "zipfile" : "tarfile", "-e", file.path, folder.path], work: work) {}
    guard outcome.status == 0 else {
      throw PackageClient.diskFault(outcome.output, work)
        ?? Fault(.invalidData, "the package cannot be unpacked: \(PackageClient.lastLine(outcome.output))", at: file.lastPathComponent)
    }
    return folder
  }

  private func run(_ arguments: [String], work: URL, tick: () -> Void) throws -> ChildProcess.Outcome {
    guard let program = ChildProcess.find(python, in: environment) else {
      throw Fault(.unavailable, "\(python) is not on PATH", hint: "install it: apt-get install python3 python3-pip")
    }
    var environment = environment
    // Everything that pip writes before it is done stays inside `work`, on the disk of the target, and goes away with it.
    environment["TMPDIR"] = work.path
    let log = work.appending(path: "log.txt")
    return try ChildProcess.run(program, arguments, environment: environment, folder: work, log: log, tick: tick)
  }

  private func failure(_ output: String, _ source: PackageSource) -> Fault {
    let requirement = "\(source.package)==\(source.version)"
    if output.contains("No module named pip") {
      return Fault(.unavailable, "\(python) has no pip", hint: "install it: apt-get install python3-pip, or python3 -m ensurepip --user")
    }
    if let fault = PackageClient.diskFault(output, nil) { return fault }
    if output.contains("DO NOT MATCH THE HASHES"), let got = output.split(separator: "\n").first(where: { $0.contains(" Got ") }) {
      let found = got.split(separator: " ").last.map(String.init) ?? "?"
      return PackageClient.mismatch(requirement, expected: source.sha256, found: found)
    }
    let signs = [
      "NewConnectionError", "Max retries", "name resolution", "ConnectTimeout", "ReadTimeout", "timed out", "ProxyError", "SSLError",
      "Connection refused", "Connection reset", "Connection aborted", "Network is unreachable", "Could not fetch URL",
    ]
    if signs.contains(where: output.contains) {
      return Fault(
        .unavailable, "the package index cannot be reached for \(requirement): \(PackageClient.lastLine(output))",
        hint: "check the network and `python3 -m pip config list`, then try again")
    }
    if output.contains("(from versions: none)") {
      return Fault(
        .unavailable, "the package index has no \(requirement) for this Python, or cannot be reached",
        hint: "check the network and `python3 -m pip config list`, then try again")
    }
    return Fault(
      .unavailable, "pip cannot download \(requirement): \(PackageClient.lastLine(output))",
      hint: "try: python3 -m pip download --no-deps \(requirement)")
  }

  private static func mismatch(_ what: String, expected: String, found: String) -> Fault {
    Fault(
      .invalidData, "\(what) has the wrong sha256: expected \(expected), found \(found)",
      hint: "nothing was kept; the package changed on the index or on the way, so do not use it before you know why")
  }

  private static func diskFault(_ output: String, _ work: URL?) -> Fault? {
    let place = work?.path ?? "pip"
    if ["No space left on device", "Disk quota exceeded", "[Errno 28]"].contains(where: output.contains) {
      return SystemError.fault(ENOSPC, "cannot write", at: place)
    }
    if ["Permission denied", "Read-only file system"].contains(where: output.contains) {
      return SystemError.fault(EACCES, "cannot write (\(lastLine(output)))", at: place)
    }
    return nil
  }

  /// The last line that says something, without pip's `ERROR: `, at most 300 characters.
  private static func lastLine(_ output: String) -> String {
    let lines = output.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
    let line = lines.last { $0.hasPrefix("ERROR:") } ?? lines.last { !$0.isEmpty && !$0.hasPrefix("[notice]") } ?? "no output"
    return String(line.trimmingPrefix("ERROR:").trimmingCharacters(in: .whitespaces).prefix(300))
  }

  /// Bytes of all files below `folder`: how far pip has come.
  private static func bytes(in folder: URL) -> Int {
    (FileManager.default.subpaths(atPath: folder.path) ?? []).reduce(0) { total, name in
      let size = try? FileManager.default.attributesOfItem(atPath: folder.appending(path: name).path)[.size] as? NSNumber
      return total + (size?.intValue ?? 0)
    }
  }
}
