import Foundation

/// Programs of other hands that read what is written here.
package enum Python {
  /// A Python with h5py and numpy: the one that FEDSEA_PYTHON names, else python3 if it has them; nil on a fresh machine.
  package static let withH5py: String? = [ProcessInfo.processInfo.environment["FEDSEA_PYTHON"], "/usr/bin/env"].compactMap { $0 }.first {
    (try? run($0, python($0) + ["-c", "import h5py, numpy"]).status) == 0
  }

  /// Runs a script of Tests/Fixtures with `withH5py`; its status and what it printed.
  package static func check(_ script: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
    guard let program = withH5py else { preconditionFailure("enable the test only where there is h5py") }
    return try run(program, python(program) + [Fixture.path(script)] + arguments)
  }

  private static func python(_ program: String) -> [String] { program == "/usr/bin/env" ? ["python3"] : [] }

  package static func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }
}
