import Audit
import Foundation
import TestSupport
import Testing

/// h5py reads what is written here. Python with h5py is not part of a fresh machine: FEDSEA_PYTHON names one, else the test says that it was skipped.
@Suite struct InteropTests {
  static let python = ProcessInfo.processInfo.environment["FEDSEA_PYTHON"]
  static let h5dump = ["/usr/bin/h5dump", "/usr/local/bin/h5dump"].first { FileManager.default.isExecutableFile(atPath: $0) }

  @Test(.enabled(if: python != nil, "set FEDSEA_PYTHON to a Python with h5py")) func `h5py and pandas read views and guesses`() throws {
    let scratch = try Scratch()
    try ViewFile.write(Samples.view, to: scratch.file("view-f32.h5"))
    try ViewFile.write(Samples.view, to: scratch.file("view-f16.h5"), precision: .f16)
    try ViewFile.write(Samples.view, to: scratch.file("view-deflated.h5"), deflate: 6)
    try Samples.guesses(candidates: true).write(to: scratch.file("guesses.h5"))
    let script = Fixture.path("hdf5.py")
    #expect(try run(Self.python ?? "", [script, "check", scratch.path]).status == 0)
  }

  @Test(.enabled(if: h5dump != nil, "install hdf5-tools")) func `h5dump prints a view`() throws {
    let scratch = try Scratch()
    try ViewFile.write(Samples.view, to: scratch.file("view.h5"))
    let (status, output) = try run(Self.h5dump ?? "", ["-d", "/input_cut/hidden_states", scratch.file("view.h5")])
    #expect(status == 0)
    #expect(output.contains("(0,0): -2.25, -2.125, -2, -1.875") && output.contains("(8,0): 1.75, 1.875, 2, 2.125"))
    #expect(output.contains("H5T_IEEE_F32LE") && output.contains("noise_sigma"))
  }

  private func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(filePath: program)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }
}
