import Audit
import Foundation
import TestSupport
import Testing

/// h5py reads what is written here. Python with h5py is not part of a fresh machine: FEDSEA_PYTHON names one, or python3 has it, else the test says
/// that it was skipped.
@Suite struct InteropTests {
  static let h5dump = ["/usr/bin/h5dump", "/usr/local/bin/h5dump"].first { FileManager.default.isExecutableFile(atPath: $0) }

  @Test(.enabled(if: Python.withH5py != nil, "set FEDSEA_PYTHON to a Python with h5py")) func `h5py and pandas read views and guesses`()
    throws
  {
    let scratch = try Scratch()
    try ViewFile.write(Samples.view, to: scratch.file("view-f32.h5"))
    try ViewFile.write(Samples.view, to: scratch.file("view-f16.h5"), precision: .f16)
    try ViewFile.write(Samples.view, to: scratch.file("view-deflated.h5"), deflate: 6)
    try Samples.guesses(candidates: true).write(to: scratch.file("guesses.h5"))
    let (status, output) = try Python.check("hdf5.py", ["check", scratch.path])
    #expect(status == 0, "\(output)")
  }

  @Test(.enabled(if: h5dump != nil, "install hdf5-tools")) func `h5dump prints a view`() throws {
    let scratch = try Scratch()
    try ViewFile.write(Samples.view, to: scratch.file("view.h5"))
    let (status, output) = try Python.run(Self.h5dump ?? "", ["-d", "/input_cut/hidden_states", scratch.file("view.h5")])
    #expect(status == 0)
    #expect(output.contains("(0,0): -2.25, -2.125, -2, -1.875") && output.contains("(8,0): 1.75, 1.875, 2, 2.125"))
    #expect(output.contains("H5T_IEEE_F32LE") && output.contains("noise_sigma"))
  }
}
