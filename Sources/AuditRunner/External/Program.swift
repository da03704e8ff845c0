import Diagnostics
import Foundation

/// The command of an external attack, made independent of the working directory.
enum Program {
  /// The first executable of that name on PATH, or the path itself if it has a slash; nil if there is none.
  static func find(_ name: String) -> String? {
    if name.contains("/") {
      let path = URL(filePath: name).path
      return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }
    return searchPath.split(separator: ":").lazy.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  /// The command with its program found and every word that names an existing file made absolute: the program runs in another folder.
  /// Throws `.unavailable` if the program is not there.
  static func resolved(_ command: [String]) throws -> [String] {
    guard let program = find(command[0]) else {
      throw Fault(.unavailable, "the program \"\(command[0])\" is not there", hint: "give a path, or a name that is on PATH")
    }
    return [program]
      + command.dropFirst().map { FileManager.default.fileExists(atPath: $0) ? URL(filePath: $0).path : $0 }
  }

  /// All that a program sees of the environment: PATH, HOME and TMPDIR in its scratch folder, and the language.
  static func environment(home: String) -> [String: String] {
    ["PATH": searchPath, "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8"]
  }

  private static var searchPath: String { ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin" }
}
