import Foundation

/// A folder of its own for one test, removed with it.
package final class Scratch {
  package let path: String

  package init() throws {
    path = "\(NSTemporaryDirectory())/fedsea-tests-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  package func file(_ name: String) -> String { "\(path)/\(name)" }
  package func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
}

/// Calls `body` with an empty folder, which is removed afterwards.
package func withFolder<R>(_ body: (String) throws -> R) throws -> R {
  let scratch = try Scratch()
  return try withExtendedLifetime(scratch) { try body(scratch.path) }
}
