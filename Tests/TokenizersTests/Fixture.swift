import Foundation
import Tokenizers

/// The generated files in Tests/Fixtures/tokenizers; `make_fixtures.py` there says what they are.
enum Fixture {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  static let folder = root.appending(path: "Tests/Fixtures/tokenizers")

  static func bytes(_ name: String) throws -> [UInt8] { try [UInt8](Data(contentsOf: folder.appending(path: name))) }

  static func text(_ name: String) throws -> String { String(decoding: try bytes(name), as: UTF8.self) }

  static func lines() throws -> [String] { try JSONDecoder().decode([String].self, from: Data(try bytes("lines.json"))) }

  /// The tokenizer.json texts of `family` ("bytes" or "pieces"), by name.
  static func variants(_ family: String) throws -> [String: [UInt8]] {
    let templates = try JSONDecoder().decode([String: String].self, from: Data(try bytes("\(family)-variants.json")))
    let (vocabulary, merges) = (try text("\(family)-vocab.json"), try text("\(family)-merges.json"))
    return templates.mapValues {
      Array($0.replacingOccurrences(of: "\"@vocab\"", with: vocabulary).replacingOccurrences(of: "\"@merges\"", with: merges).utf8)
    }
  }

  static func variant(_ name: String) throws -> any Tokenizer {
    guard let bytes = try variants(String(name.prefix { $0 != "-" }))[name] else { throw CocoaError(.fileNoSuchFile) }
    return try TokenizerLoader.load(tokenizerJSON: bytes)
  }

  static func pieces() throws -> any Tokenizer { try TokenizerLoader.load(sentencePieceModel: bytes("pieces.model")) }

  /// The file that `variable` names, or that lies at `path` in the package; nil, with a printed reason, if there is none.
  static func fetched(_ variable: String, _ path: String) -> String? {
    let file = ProcessInfo.processInfo.environment[variable] ?? root.appending(path: path).path
    if FileManager.default.fileExists(atPath: file) { return file }
    print("skipped: no file \(file); fetch it, or name one in \(variable)")
    return nil
  }

  /// Four hexadecimal digits of the ids, as the script writes them.
  static func fingerprint(_ ids: [Int32]) -> String {
    var hash: UInt32 = 0x811C_9DC5
    for id in ids {
      for shift in stride(from: 0, to: 32, by: 8) { hash = (hash ^ UInt32(UInt8(truncatingIfNeeded: id >> shift))) &* 0x0100_0193 }
    }
    let digits = String(hash >> 16 ^ hash & 0xFFFF, radix: 16)
    return String(repeating: "0", count: 4 - digits.count) + digits
  }

  /// What differs between `tokenizer` and the hashes in `name.hashes`: how many lines, and the first of them.
  static func differences(_ tokenizer: any Tokenizer, _ name: String, each step: Int, parsingSpecial: Bool) throws -> Differences {
    let hashes = try bytes("\(name).hashes")
    var found = Differences()
    for (index, line) in try lines().enumerated() where index.isMultiple(of: step) {
      let start = index / step * 4
      guard start + 4 < hashes.count else { throw CocoaError(.fileReadCorruptFile) }
      let ids = tokenizer.encode(line, parsingSpecial: parsingSpecial)
      found.compared += 1
      if fingerprint(ids) == String(decoding: hashes[start..<start + 4], as: UTF8.self) { continue }
      found.count += 1
      if found.first.count < 5 { found.first.append("line \(index) \(line.prefix(80).debugDescription) gives \(ids.prefix(60))") }
    }
    return found
  }

  struct Differences {
    var compared = 0
    var count = 0
    var first: [String] = []
  }
}
