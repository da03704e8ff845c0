import CHDF5
import Diagnostics
import Foundation
import HDF5
import TestSupport
import Testing

/// What the world does to files: missing, unwritable, full, cut off.
@Suite struct WorldErrorTests {
  let scratch = try! Scratch()

  @Test func `a missing file, a folder and a text are told apart`() throws {
    #expect(code { try HDF5File.open(scratch.file("absent.h5")) } == .missingInput)
    #expect(code { try HDF5File.open(scratch.path) } == .missingInput)
    try "hello, I am no HDF5 file, but long enough to be one".write(toFile: scratch.file("t.h5"), atomically: true, encoding: .utf8)
    #expect(code { try HDF5File.open(scratch.file("t.h5")) } == .invalidData)
    try Data().write(to: URL(filePath: scratch.file("e.h5")))
    #expect(code { try HDF5File.open(scratch.file("e.h5")) } == .invalidData)
  }

  @Test func `a folder that is missing is cannotCreate`() throws {
    #expect(code { try HDF5File.create(scratch.file("no/such/folder/x.h5")) } == .cannotCreate)
    #expect(code { try HDF5File.create("/proc/x.h5") } == .cannotCreate)
  }

  @Test func `a name that is a folder is cannotCreate, and nothing is left`() throws {
    try FileManager.default.createDirectory(atPath: scratch.file("d.h5/inner"), withIntermediateDirectories: true)
    let file = try HDF5File.create(scratch.file("d.h5"))
    #expect(code { try file.close() } == .cannotCreate)
    #expect(try scratch.names() == ["d.h5"])
  }

  @Test func `a dropped file leaves what was there before`() throws {
    let path = scratch.file("x.h5")
    try "before".write(toFile: path, atomically: true, encoding: .utf8)
    do {
      let file = try HDF5File.create(path)
      try RowAppender<Float>("x", in: file.root, columns: 4).append([1, 2, 3, 4])
      #expect(try scratch.names().count == 2)
    }
    #expect(try scratch.names() == ["x.h5"])
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "before")
  }

  /// The limit on the size of files stands for a full disk; it holds for a process, hence the exit test. Every size of limit cuts another
  /// write: the header's, a chunk's, the flush's at the end.
  @Test(arguments: [0, 100, 1000, 5000, 130_000, 200_000, 400_000, 1_000_000])
  func `a full disk is inputOutput, and the old file stays`(limit: Int) async {
    await #expect(processExitsWith: .success) { [limit] in
      let scratch = try Scratch()
      let path = scratch.file("x.h5")
      try "before".write(toFile: path, atomically: true, encoding: .utf8)
      signal(SIGXFSZ, SIG_IGN)
      var bound = rlimit(rlim_cur: rlim_t(limit), rlim_max: rlim_t.max)
      #expect(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &bound) == 0)
      let failure = code {
        let file = try HDF5File.create(path)
        let appender = try RowAppender<Float>("x", in: file.root, columns: 256)
        for _ in 0..<1100 { try appender.append([Float](repeating: 1, count: 256)) }
        try appender.finish()
        try file.close()
      }
      #expect(failure == .inputOutput)
      #expect(try scratch.names() == ["x.h5"])
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "before")
      bound.rlim_cur = rlim_t.max
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &bound)
      let again = try HDF5File.create(path)
      try RowAppender<Float>("x", in: again.root, columns: 1).finish()
      try again.close()
      _ = try HDF5File.open(path)
    }
  }

  @Test(arguments: [
    "external-link", "soft-link", "virtual", "external-storage", "huge", "huge-strings", "plugin-filter", "large-chunk", "cycle",
  ])
  func `hostile files are refused`(name: String) {
    #expect(code { try HDF5File.open(Fixture.path("hdf5/hostile-\(name).h5")) } == .invalidData)
  }

  @Test(arguments: ["compound", "three-dimensions", "group"]) func `datasets of unknown form are refused`(name: String) throws {
    let root = try HDF5File.open(Fixture.path("hdf5/hostile-\(name).h5")).root
    #expect(code { try root.dataset("samples/token_ids") } == .invalidData)
  }
}

/// The code of the fault that `body` throws, nil if it throws none.
func code<R>(_ body: () throws -> R) -> Fault.Code? {
  do {
    _ = try body()
    return nil
  } catch {
    return (error as? Fault)?.code
  }
}
