import Foundation

/// Paths of a task whose data is a folder.
enum TaskFolder {
  static func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
  }

  static func file(_ name: String, of folder: String) -> String { folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)" }
}
