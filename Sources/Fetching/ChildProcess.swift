import Diagnostics
import Foundation

/// Runs a program without a shell, its output gathered in a file.
enum ChildProcess {
  struct Outcome {
    var status: Int32
    /// The last 64 KiB of standard output and standard error.
    var output: String
  }

  /// The first executable `name` on `PATH`, or nil.
  static func find(_ name: String, in environment: [String: String]) -> URL? {
    if name.contains("/") { return FileManager.default.isExecutableFile(atPath: name) ? URL(fileURLWithPath: name) : nil }
    return (environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":").lazy
      .map { URL(fileURLWithPath: String($0)).appending(path: name) }
      .first { FileManager.default.isExecutableFile(atPath: $0.path) }
  }

  /// Waits for the program and calls `tick` about four times a second meanwhile. `log` receives all output. Throws `Fault` 69 when it cannot
  /// be started, 73 or 74 when the log cannot be written.
  static func run(
    _ program: URL, _ arguments: [String], environment: [String: String], folder: URL, log: URL, tick: () -> Void
  ) throws -> Outcome {
    guard FileManager.default.createFile(atPath: log.path, contents: nil), let sink = FileHandle(forWritingAtPath: log.path) else {
      throw SystemError.fault(errno, "cannot write the log", at: log.path)
    }
    defer { try? sink.close() }
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    process.environment = environment
    process.currentDirectoryURL = folder
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = sink
    process.standardError = sink
    do { try process.run() } catch {
      throw Fault(.unavailable, "\(program.path) cannot be started: \(error.localizedDescription)")
    }
    var waits = 0
    while process.isRunning {
      Thread.sleep(forTimeInterval: 0.02)
      waits += 1
      if waits % 12 == 0 { tick() }
    }
    process.waitUntilExit()
    let all = FileManager.default.contents(atPath: log.path) ?? Data()
    return Outcome(status: process.terminationStatus, output: String(decoding: all.suffix(64 * 1024), as: UTF8.self))
  }
}
