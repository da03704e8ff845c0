import Diagnostics
import Foundation
import HDF5
import PrivateText
import TestSupport
import Testing

/// The content that Tests/Fixtures/hdf5.py computes on its side.
func sampleTruth() -> TruthFile {
  let offsets = [0, 3, 3, 8, 9]
  let tokens = (0..<9).map { Int32($0 * $0 * 997 % 49152) }
  let texts = ["Grüße, 世界 👋🏽", "", "tab\tand newline\n and \u{7} bell", "e\u{301} \u{202E}override"]
  return TruthFile(
    runID: "run-7",
    documents: ["doc-0", "doc-1", "doc-2", "döc-3"].enumerated().map { index, id in
      PrivateDocument(id: id, text: texts[index], tokens: Array(tokens[offsets[index]..<offsets[index + 1]]))
    })
}

@Suite struct TruthFileTests {
  let scratch = try! Scratch()

  /// Membership and attribute come back when every document has them, and are not written otherwise.
  @Test func `properties come back`() throws {
    var truth = sampleTruth()
    for index in truth.documents.indices {
      truth.documents[index].isMember = index % 2 == 0
      truth.documents[index].attribute = index < 2 ? "prose" : "dialogue"
    }
    try truth.write(to: scratch.file("p.h5"))
    #expect(try TruthFile.read(scratch.file("p.h5")) == truth)
    truth.documents[0].isMember = nil
    try truth.write(to: scratch.file("p.h5"))
    #expect(try TruthFile.read(scratch.file("p.h5")).documents.allSatisfy { $0.isMember == nil && $0.attribute != nil })
  }

  @Test func `a truth comes back`() throws {
    try sampleTruth().write(to: scratch.file("t.h5"))
    #expect(try TruthFile.read(scratch.file("t.h5")) == sampleTruth())
  }

  @Test(.enabled(if: ProcessInfo.processInfo.environment["FEDSEA_PYTHON"] != nil, "set FEDSEA_PYTHON to a Python with h5py"))
  func `h5py reads a truth`() throws {
    try sampleTruth().write(to: scratch.file("truth.h5"))
    let process = Process()
    process.executableURL = URL(filePath: ProcessInfo.processInfo.environment["FEDSEA_PYTHON"] ?? "")
    process.arguments = [Fixture.path("hdf5.py"), "check", scratch.path]
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
  }

  @Test func `a truth of h5py is read`() throws {
    #expect(try TruthFile.read(Fixture.path("hdf5/truth.h5")) == sampleTruth())
  }

  @Test func `a streamed truth has the same bytes`() throws {
    try sampleTruth().write(to: scratch.file("whole.h5"))
    let writer = try TruthWriter(scratch.file("streamed.h5"), runID: "run-7")
    for document in sampleTruth().documents { try writer.append([document]) }
    try writer.close()
    let whole = try Data(contentsOf: URL(filePath: scratch.file("whole.h5")))
    #expect(try Data(contentsOf: URL(filePath: scratch.file("streamed.h5"))) == whole)
  }

  @Test func `a text with U+0000 is refused and leaves no file`() throws {
    var truth = sampleTruth()
    truth.documents[1].text = "a\0b"
    #expect(throws: Fault.self) { try truth.write(to: scratch.file("t.h5")) }
    #expect(try scratch.names() == [])
  }

  @Test(arguments: ["view.h5", "guesses.h5", "hostile-huge-strings.h5"]) func `other files are refused`(name: String) {
    #expect(throws: Fault.self) { try TruthFile.read(Fixture.path("hdf5/\(name)")) }
  }

  @Test(arguments: [("truth.h5", 1), ("truth.h5", 2), ("own.h5", 1), ("own.h5", 2)])
  func `mutations never trap`(name: String, seed: Int) async {
    await #expect(processExitsWith: .success) { [name, seed] in
      let scratch = try Scratch()
      let path = scratch.file("f.h5")
      if name == "own.h5" { try sampleTruth().write(to: scratch.file(name)) }
      let valid = try Data(contentsOf: URL(filePath: name == "own.h5" ? scratch.file(name) : Fixture.path("hdf5/\(name)")))
      var generator = SplitMix(state: UInt64(seed))
      for _ in 0..<250 {
        try mutate(valid, using: &generator).write(to: URL(filePath: path))
        do {
          _ = try TruthFile.read(path)
        } catch let fault as Fault {
          #expect(fault.code == .invalidData, "\(fault)")
        }
      }
    }
  }
}
