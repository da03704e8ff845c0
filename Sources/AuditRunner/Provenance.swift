package import Audit
package import Foundation
package import Kernels

/// Where and with what a run was made.
package enum Provenance {
  /// The commit of the working copy at `root`, with `+` behind it when files differ from it; `unknown` outside a repository.
  package static func commit(root: URL) -> String {
    stamp(root, hash: ["rev-parse", "HEAD"], changes: ["--untracked-files=no", "--", ".", ":!notebooks-data"])
  }

  /// The commit that changed the code at `root` last, with `+` behind it when the code differs from it: what one code computed stays true of it,
  /// whatever is written beside it afterwards.
  package static func code(root: URL) -> String {
    let paths = ["--", "Package.swift", "Sources"]
    return stamp(root, hash: ["log", "-1", "--format=%H"] + paths, changes: paths)
  }

  /// What `git` says with `hash`, with `+` behind it when `git status` with `changes` lists any.
  private static func stamp(_ root: URL, hash: [String], changes: [String]) -> String {
    func git(_ arguments: [String]) -> String? { output("git", ["-C", root.path] + arguments) }
    guard let hash = git(hash), !hash.isEmpty else { return "unknown" }
    return git(["status", "--porcelain"] + changes)?.isEmpty ?? true ? hash : hash + "+"
  }

  package static func host(_ compute: Compute) -> HostDescription {
    let cpu =
      (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?
      .split(separator: "\n").first { $0.hasPrefix("model name") }?
      .split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? "unknown"
    return HostDescription(cpu: cpu, threads: compute.threads, engine: compute.description)
  }

  package static func now() -> String { Date().formatted(.iso8601) }

  private static func output(_ command: String, _ arguments: [String]) -> String? {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [command] + arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return nil }
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { return nil }
    return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
