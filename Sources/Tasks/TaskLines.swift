import Diagnostics
import Foundation

/// Reads a task's file line by line.
enum TaskLines {
  static let maximumBytes = 1 << 30

  /// The file's bytes. Throws `Fault` 66 when it is absent or no file, 65 for more than 1 GiB.
  static func bytes(at path: String) throws -> [UInt8] {
    let resolved = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: resolved) else {
      throw Fault(.missingInput, "there is no such file", at: path)
    }
    guard attributes[.type] as? FileAttributeType == .typeRegular else {
      throw Fault(.missingInput, "this is not a regular file", at: path)
    }
    guard let size = attributes[.size] as? NSNumber, size.int64Value <= Int64(maximumBytes) else {
      throw Fault(.invalidData, "the file has more than \(maximumBytes) bytes", at: path)
    }
    guard let data = FileManager.default.contents(atPath: resolved) else { throw Fault(.missingInput, "the file cannot be read", at: path) }
    return Array(data)
  }

  /// What `parse` makes of every line that is not blank, given the line and its place `name:number`.
  ///
  /// A line ends with LF or CRLF, or with the file; a UTF-8 BOM is dropped. Throws what `parse` throws, and `Fault` 65 for invalid UTF-8
  /// and a repeated id, with the line, and when no example is left.
  static func examples<Example: Identifiable>(
    of bytes: [UInt8], named name: String, parse: (_ line: String, _ place: String) throws -> [Example]
  ) throws -> [Example] where Example.ID == String {
    let body = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
    var examples: [Example] = []
    var lineOfID: [String: Int] = [:]
    for (index, ended) in body.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
      let place = "\(name):\(index + 1)"
      let line = ended.last == 0x0D ? ended.dropLast() : ended
      guard let text = String(validating: line, as: UTF8.self) else {
        throw Fault(.invalidData, "the line is not valid UTF-8", at: place, hint: "iconv -f latin1 -t UTF-8, if it is Latin-1")
      }
      if text.allSatisfy(\.isWhitespace) { continue }
      for example in try parse(text, place) {
        if let first = lineOfID.updateValue(index + 1, forKey: example.id) {
          throw Fault(.invalidData, "the example \(example.id) is there already, in line \(first)", at: place)
        }
        examples.append(example)
      }
    }
    guard !examples.isEmpty else { throw Fault(.invalidData, "the file holds no example", at: name) }
    return examples
  }
}
