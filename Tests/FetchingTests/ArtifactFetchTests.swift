import Diagnostics
import Fetching
import Foundation
import Synchronization
import Testing

@Suite struct ArtifactFetchTests {
  let zeros = String(repeating: "0", count: 64)

  @Test func aFileComesThroughPip() throws {
    let tiny = try TinyPackage()
    #expect(throws: Fault.self) { try tiny.store.path(of: tiny.manifest()) }
    var events: [FetchEvent] = []
    let file = try tiny.store.fetch(tiny.manifest(), client: tiny.client) { events.append($0) }
    #expect(try String(contentsOf: file, encoding: .utf8) == tiny.text)
    #expect(events.contains(.unpacking) && events.last == .done(file))
    #expect(tiny.kept == ["a.txt"])
    #expect(try tiny.store.verified(tiny.manifest()) == file)
    events = []
    _ = try tiny.store.fetch(tiny.manifest(), client: PackageClient(python: "/nonexistent")) { events.append($0) }
    #expect(events == [.alreadyThere(file)])
  }

  @Test func aFolderIsHashedAsTheShellWould() throws {
    let tiny = try TinyPackage()
    var manifest = tiny.manifest(member: "tinytext/data")
    let listing = "\(FileDigest.hex(of: Data(tiny.text.utf8)))  a.txt\n\(FileDigest.hex(of: Data("b".utf8)))  sub/b.txt\n"
    manifest.content.shape = .folder
    manifest.content.target = "data"
    manifest.content.bytes = tiny.text.utf8.count + 1
    manifest.content.sha256 = FileDigest.hex(of: Data(listing.utf8))
    let folder = try tiny.store.fetch(manifest, client: tiny.client)
    #expect(try String(contentsOf: folder.appending(path: "sub/b.txt"), encoding: .utf8) == "b")
    try Data("c".utf8).write(to: folder.appending(path: "sub/b.txt"))
    let fault = #expect(throws: Fault.self) { try tiny.store.verified(manifest) }
    #expect(fault?.code == .invalidData && fault?.message.contains("wrong sha256") == true)
  }

  @Test func aFileOfAnArchiveInsideThePackage() throws {
    let tiny = try TinyPackage()
    let file = try tiny.store.fetch(tiny.manifest(member: "tinytext/inner.tar.gz/in/c.txt"), client: tiny.client)
    #expect(try String(contentsOf: file, encoding: .utf8) == tiny.text && tiny.kept == ["a.txt"])
    try FileManager.default.removeItem(at: file)
    let absent = #expect(throws: Fault.self) {
      try tiny.store.fetch(tiny.manifest(member: "tinytext/inner.tar.gz/in/d.txt"), client: tiny.client)
    }
    #expect(absent?.message.hasSuffix("has no tinytext/inner.tar.gz/in/d.txt") == true)
    let text = #expect(throws: Fault.self) { try tiny.store.fetch(tiny.manifest(member: "tinytext/data/a.txt/x"), client: tiny.client) }
    #expect(text?.code == .invalidData && text?.message.contains("cannot be unpacked") == true && tiny.kept == [])
  }

  @Test func aWrongPackageHashLeavesNothing() throws {
    let tiny = try TinyPackage()
    let fault = #expect(throws: Fault.self) { try tiny.store.fetch(tiny.manifest(sha256: zeros), client: tiny.client) }
    #expect(fault?.code == .invalidData)
    #expect(fault?.message.contains("expected \(zeros), found \(try FileDigest.file(tiny.wheel))") == true)
    #expect(tiny.kept == [])
  }

  @Test func aWrongContentHashLeavesWhatWasThere() throws {
    let tiny = try TinyPackage()
    let file = try tiny.store.fetch(tiny.manifest(), client: tiny.client)
    let fault = #expect(throws: Fault.self) { try tiny.store.fetch(tiny.manifest(contentSHA256: zeros), client: tiny.client) }
    #expect(fault?.code == .invalidData && fault?.message.contains("expected \(zeros)") == true)
    #expect(try String(contentsOf: file, encoding: .utf8) == tiny.text)
    let absent = #expect(throws: Fault.self) { try tiny.store.fetch(tiny.manifest(contentSHA256: zeros, member: "x"), client: tiny.client) }
    #expect(absent?.message.contains("has no x") == true)
    #expect(tiny.kept == ["a.txt"])
  }

  @Test func aDamagedCopyIsReplaced() throws {
    let tiny = try TinyPackage()
    let file = try tiny.store.fetch(tiny.manifest(), client: tiny.client)
    try Data("a file of a pakcage\n".utf8).write(to: file)
    #expect(throws: Fault.self) { try tiny.store.verified(tiny.manifest()) }
    _ = try tiny.store.fetch(tiny.manifest(), client: tiny.client)
    #expect(try String(contentsOf: file, encoding: .utf8) == tiny.text)
    try Data("short".utf8).write(to: file)
    let fault = #expect(throws: Fault.self) { try tiny.store.path(of: tiny.manifest()) }
    #expect(fault?.code == .invalidData)
  }

  @Test func missingToolsAndNetworkAreUnavailable() throws {
    let tiny = try TinyPackage()
    var client = tiny.client
    client.environment["PATH"] = "/nonexistent"
    let noPython = #expect(throws: Fault.self) { try tiny.store.fetch(tiny.manifest(), client: client) }
    #expect(noPython?.code == .unavailable && noPython?.message.contains("not on PATH") == true)
    // An index at a port where nobody listens.
    client = tiny.client
    client.environment["PIP_NO_INDEX"] = nil
    client.environment["PIP_CONFIG_FILE"] = "/dev/null"
    client.environment["PIP_FIND_LINKS"] = nil
    client.environment["PIP_INDEX_URL"] = "http://127.0.0.1:9/simple"
    client.environment["PIP_RETRIES"] = "1"
    for name in client.environment.keys where name.lowercased().hasSuffix("_proxy") { client.environment[name] = nil }
    let noNetwork = #expect(throws: Fault.self) { try tiny.store.fetch(tiny.manifest(), client: client) }
    #expect(noNetwork?.code == .unavailable && noNetwork?.message.contains("cannot be reached") == true, "\(String(describing: noNetwork))")
    var manifest = tiny.manifest()
    manifest.source.version = "7.7"
    let noVersion = #expect(throws: Fault.self) { try tiny.store.fetch(manifest, client: tiny.client) }
    #expect(noVersion?.code == .unavailable && noVersion?.message.contains("tinytext==7.7") == true)
    #expect(tiny.kept == [])
  }

  @Test func pipsOwnComplaintsAreTranslated() throws {
    let tiny = try TinyPackage()
    let cases: [(String, Fault.Code)] = [
      ("/usr/bin/python3: No module named pip", .unavailable),
      ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", .inputOutput),
      ("ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/x'", .cannotCreate),
    ]
    for (index, (text, code)) in cases.enumerated() {
      let python = tiny.folder.appending(path: "python\(index)")
      try Data("#!/bin/sh\necho \"\(text)\" >&2\nexit 1\n".utf8).write(to: python)
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: python.path)
      let fault = #expect(throws: Fault.self) { try tiny.store.fetch(tiny.manifest(), client: PackageClient(python: python.path)) }
      #expect(fault?.code == code, "\(String(describing: fault))")
    }
    #expect(tiny.kept == [])
  }

  @Test func placesThatCannotBeWritten() throws {
    let tiny = try TinyPackage()
    let blocked = tiny.folder.appending(path: "blocked")
    try Data().write(to: blocked)
    let store = ArtifactStore(root: blocked, datasets: [tiny.manifest()])
    let fault = #expect(throws: Fault.self) { try store.fetch(tiny.manifest(), client: tiny.client) }
    #expect(fault?.code == .cannotCreate || fault?.code == .inputOutput, "\(String(describing: fault))")
  }

  @Test func concurrentFetchesWaitForEachOther() async throws {
    let tiny = try TinyPackage()
    let (store, manifest, client) = (tiny.store, tiny.manifest(), tiny.client)
    let counts = EventCounts()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<3 {
        group.addTask { _ = try store.fetch(manifest, client: client) { counts.add($0) } }
      }
      try await group.waitForAll()
    }
    #expect(counts.done == 1 && counts.alreadyThere == 2)
    #expect(tiny.kept == ["a.txt"])
  }
}

private final class EventCounts: Sendable {
  private let counts = Mutex((done: 0, alreadyThere: 0))
  var done: Int { counts.withLock { $0.done } }
  var alreadyThere: Int { counts.withLock { $0.alreadyThere } }

  func add(_ event: FetchEvent) {
    counts.withLock {
      if case .done = event { $0.done += 1 }
      if case .alreadyThere = event { $0.alreadyThere += 1 }
    }
  }
}
