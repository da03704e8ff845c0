import Datasets
import LeakageMetrics
import PrivateText
import Tokenizers

/// Where tokens lie in a document's text.
struct TextPositions {
  /// UTF-8 range of each token; tokens of a text whose bytes they do not spell (a normalising tokenizer) still lie one after another.
  let ranges: [Range<Int>]

  init(_ tokens: [Int32], of text: String, _ tokenizer: any Tokenizer) {
    let lengths = tokens.map { tokenizer.bytes(of: $0).count }
    // SentencePiece puts a space before the text, which is none of it.
    var end = lengths.reduce(0, +) == text.utf8.count + 1 ? -1 : 0
    ranges = lengths.map { length in
      defer { end += length }
      return max(0, end)..<max(0, end + length)
    }
  }

  /// Positions of the tokens that hold a byte of `bytes`.
  func tokens(of bytes: Range<Int>) -> Range<Int> {
    let found = ranges.indices.filter { ranges[$0].overlaps(bytes) }
    guard let first = found.first, let last = found.last else { return 0..<0 }
    return first..<last + 1
  }

  /// Whether each token holds a byte of a content word.
  func isContent(_ text: String) -> [Bool] {
    var marks = ranges.map { _ in false }
    for word in ContentWords.ranges(in: text) { for t in tokens(of: word) { marks[t] = true } }
    return marks
  }
}

extension PrivateDocument {
  /// A document of a data set with its tokens, and its marks at token positions. Marks that cannot be found in the tokens' text again are left out;
  /// `lost` counts them.
  static func tokenized(_ document: TextDocument, _ tokenizer: any Tokenizer, lost: inout Int) -> PrivateDocument {
    var out = marked(document, tokenizer, lost: &lost)
    out.attribute = document.attribute
    return out
  }

  private static func marked(_ document: TextDocument, _ tokenizer: any Tokenizer, lost: inout Int) -> PrivateDocument {
    let tokens = tokenizer.encode(document.text, parsingSpecial: false)
    guard let spans = document.spans else { return PrivateDocument(id: document.id, text: document.text, tokens: tokens) }
    let positions = TextPositions(tokens, of: document.text, tokenizer)
    let bytes = Array(document.text.utf8)
    let entities = spans.compactMap { span -> PrivateEntity? in
      let text = String(decoding: bytes[span.bytes], as: UTF8.self)
      let range = positions.tokens(of: span.bytes)
      guard !range.isEmpty, tokenizer.decode(Array(tokens[range])).contains(text) else {
        lost += 1
        return nil
      }
      return PrivateEntity(kind: span.kind, text: text, tokens: range, space: span.space)
    }
    return PrivateDocument(id: document.id, text: document.text, tokens: tokens, entities: entities)
  }
}
