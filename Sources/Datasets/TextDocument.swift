import Fetching
import Foundation
package import PrivateText

/// One private or public text before tokenisation.
package struct TextDocument: Sendable, Hashable {
  /// Where the text came from: `1973-Nixon-2/w120`, `line-12`, `record-3`. Unique in its set.
  package var id: String
  package var text: String
  /// Personal data and canaries in it, in the order of the text; nil where the data set marks nothing.
  package var spans: [TextSpan]?
  /// The kind of source, where a data set is made of several; a private attribute of the document.
  package var attribute: String?
  package init(id: String, text: String, spans: [TextSpan]? = nil) { (self.id, self.text, self.spans) = (id, text, spans) }
}

/// A marked part of a text.
package struct TextSpan: Sendable, Hashable {
  package var kind: PrivateEntity.Kind
  /// Offsets in UTF-8.
  package var bytes: Range<Int>
  /// What else the secret could have been, for a canary.
  package var space: SecretSpace?
  package init(kind: PrivateEntity.Kind, bytes: Range<Int>, space: SecretSpace? = nil) {
    (self.kind, self.bytes, self.space) = (kind, bytes, space)
  }
}

/// The documents that a plan's `dataset` names, and what was done to get them.
package struct DocumentSet: Sendable {
  /// For the record: `state-of-the-union/private`, or the file's name.
  package var name: String
  package var documents: [TextDocument]
  /// Documents left out because they had fewer tokens than asked for, or none.
  package var leftOut: Int
  /// Documents cut to the maximum number of tokens.
  package var shortened: Int

  package init(name: String, documents: [TextDocument], leftOut: Int = 0, shortened: Int = 0) {
    (self.name, self.documents, self.leftOut, self.shortened) = (name, documents, leftOut, shortened)
  }

  /// SHA-256 of the documents: of `<bytes>:<id><bytes>:<text>` one after another, lowercase hex.
  package var sha256: String {
    var data = Data()
    for document in documents {
      data.append(contentsOf: "\(document.id.utf8.count):\(document.id)\(document.text.utf8.count):\(document.text)".utf8)
    }
    return FileDigest.hex(of: data)
  }

  /// Sentences for the record's warnings; empty when every document was taken whole.
  package var warnings: [String] {
    var out: [String] = []
    if leftOut > 0 { out.append("\(leftOut) documents of \(name) were left out: empty or shorter than min_tokens") }
    if shortened > 0 { out.append("\(shortened) documents of \(name) were cut at a word to max_tokens") }
    return out
  }
}

/// Text → token ids, as the audited model's tokenizer does it.
package typealias Tokenize = (String) throws -> [Int32]
