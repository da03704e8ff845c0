import Diagnostics
import Foundation

/// The user's own file of texts.
package struct TextFile: Sendable {
  package enum Format: Sendable { case lines, jsonLines, commaSeparated }

  package static let maximumBytes = 1 << 30

  package var path: String
  package var format: Format
  /// Key of JSONL, heading of CSV; nil means `text`.
  package var column: String?

  /// The format follows the extension: `.jsonl`/`.ndjson`, `.csv`, anything else is text with one document a line.
  /// Throws `Fault` 65 for `.json`, `.tsv` and other tables, and for a column of a plain text file.
  package init(path: String, column: String? = nil) throws {
    switch URL(fileURLWithPath: path).pathExtension.lowercased() {
    case "jsonl", "ndjson": format = .jsonLines
    case "csv": format = .commaSeparated
    case "json", "tsv", "xlsx", "parquet", "gz", "zip", "pdf", "docx":
      throw Fault(
        .invalidData, "files of this kind are not read", at: path,
        hint: "bring text (one document a line), JSONL (.jsonl) or CSV (.csv)")
    default:
      format = .lines
      if let column { throw Fault(.invalidData, "a text file has no column \"\(column)\"", at: path, hint: "leave out dataset.column") }
    }
    (self.path, self.column) = (path, column)
  }

  /// The first `limit` documents of at least `minTokens` tokens (nil: all of them), each cut to at most `maxTokens`.
  ///
  /// A document that is too long is cut after the last whole word (at white space) that fits, or within its first word if that alone is too
  /// long. Documents that are empty or too short are left out and counted. Line ends CRLF and LF, a UTF-8 BOM is dropped.
  /// Throws `Fault` 66 when the file is absent or no file; 65 for more than 1 GiB, invalid UTF-8, broken JSON or CSV (with the line),
  /// a missing column (with the nearest name), and when no document is left.
  package func documents(limit: Int?, minTokens: Int, maxTokens: Int, tokenize: Tokenize) throws -> DocumentSet {
    precondition(minTokens >= 1 && minTokens <= maxTokens && (limit ?? 1) >= 1, "bad bounds")
    var set = DocumentSet(name: URL(fileURLWithPath: path).lastPathComponent, documents: [])
    try read { id, text in
      let isBlank = text.allSatisfy(\.isWhitespace)
      let (cut, length) = isBlank ? (text, 0) : try Shortening.cut(text, to: maxTokens, tokenize: tokenize)
      guard length >= minTokens else {
        set.leftOut += 1
        return true
      }
      if cut.utf8.count != text.utf8.count { set.shortened += 1 }
      set.documents.append(TextDocument(id: id, text: cut))
      return limit.map { set.documents.count < $0 } ?? true
    }
    guard !set.documents.isEmpty else {
      let why =
        set.leftOut == 0 ? "the file holds no document" : "all \(set.leftOut) documents are empty or shorter than \(minTokens) tokens"
      throw Fault(.invalidData, why, at: path, hint: set.leftOut == 0 ? "one document a line" : "lower min_tokens")
    }
    return set
  }

  /// Calls `take` with every document until it returns false.
  private func read(_ take: (_ id: String, _ text: String) throws -> Bool) throws {
    let bytes = try TextFile.bytes(of: path)
    switch format {
    case .commaSeparated:
      var table = CommaSeparated(bytes)
      let index = try table.column(column, place: path)
      var number = 0
      while let record = try table.next(place: path) {
        number += 1
        guard try take("record-\(number)", try table.text(record, index, place: path)) else { return }
      }
    case .lines, .jsonLines:
      var lines = ByteLines(bytes)
      while let line = try lines.next(place: path) {
        if line.text.allSatisfy(\.isWhitespace) { continue }
        let text = format == .lines ? line.text : try JSONLine.text(in: line.text, column: column, place: "\(path):\(line.number)")
        guard try take("line-\(line.number)", text) else { return }
      }
    }
  }

  /// The file's bytes without a UTF-8 BOM. Throws `Fault` 66 or 65 as above.
  static func bytes(of path: String) throws -> [UInt8] {
    let resolved = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: resolved) else {
      throw Fault(.missingInput, "there is no such file", at: path)
    }
    guard attributes[.type] as? FileAttributeType == .typeRegular else {
      throw Fault(.missingInput, "this is not a regular file", at: path)
    }
    guard let size = attributes[.size] as? NSNumber, size.int64Value <= Int64(maximumBytes) else {
      throw Fault(.invalidData, "the file has more than \(maximumBytes) bytes", at: path, hint: "cut out the part to audit")
    }
    guard let data = FileManager.default.contents(atPath: resolved) else { throw Fault(.missingInput, "the file cannot be read", at: path) }
    if data.starts(with: [0xFF, 0xFE]) || data.starts(with: [0xFE, 0xFF]) {
      throw Fault(.invalidData, "the file is UTF-16, expected UTF-8", at: path, hint: "iconv -f UTF-16 -t UTF-8")
    }
    return Array(data.starts(with: [0xEF, 0xBB, 0xBF]) ? data.dropFirst(3) : data)
  }
}
