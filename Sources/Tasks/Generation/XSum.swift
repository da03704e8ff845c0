import Diagnostics
import Foundation

/// XSum (Narayan, Cohen & Lapata 2018): BBC articles, of which the first sentence is the summary of the rest.
struct XSum {
  static let splitFile = "XSum-TRAINING-DEV-TEST-SPLIT-90-5-5.json"

  private struct Parts: Decodable {
    var train: [String]
    var validation: [String]
    var test: [String]
  }

  private let articles: String
  private let split: String
  private let parts: Parts

  /// Reads the official split file of a folder. Throws `Fault` 66 when it is absent; 65 for broken JSON and missing or mistyped keys, and for
  /// an id that is listed twice or is no id.
  init(folder: String) throws {
    split = TaskFolder.file(XSum.splitFile, of: folder)
    parts = try JSONRecord.document(Parts.self, TaskLines.bytes(at: split), split)
    let inner = TaskFolder.file("bbc-summary-data", of: folder)
    articles = TaskFolder.isFolder(inner) ? inner : folder
    var seen: Set<String> = []
    for id in [parts.train, parts.validation, parts.test].joined() {
      let id = try PlainText.checked(id: id, at: split)
      guard seen.insert(id).inserted else { throw Fault(.invalidData, "the article \(id) is listed twice", at: split) }
    }
  }

  /// The articles of these parts, in their order; those without a body, of which the official data has some, are left out.
  /// Throws `Fault` 66 and 65 with the file, as `XSumArticle` does; 65 when no example is left.
  func examples(_ wanted: [GenerationPart]) throws -> [GenerationExample] {
    let ids = wanted.flatMap { part in
      switch part {
      case .train: parts.train
      case .validation: parts.validation
      case .test: parts.test
      }
    }
    let examples = try ids.compactMap { id -> GenerationExample? in
      let file = TaskFolder.file("\(id).summary", of: articles)
      guard FileManager.default.fileExists(atPath: file) else {
        throw Fault(.missingInput, "there is no such article", at: file, hint: "bring it, or take \(id) out of \(XSum.splitFile)")
      }
      let article = try XSumArticle(TaskLines.bytes(at: file), at: file)
      guard !article.body.isEmpty else { return nil }
      return GenerationExample(
        id: id, prompt: "Article: \(article.body)\nSummary in one sentence:", references: [article.summary])
    }
    guard !examples.isEmpty else {
      let names = wanted.map(\.rawValue).joined(separator: ", ")
      throw Fault(.invalidData, "there is no example in \(names)", at: split)
    }
    return examples
  }
}
