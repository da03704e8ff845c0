import Diagnostics

/// Bounds on what a tokenizer file may make us hold; far above every published one.
enum TokenizerLimits {
  static let tokens = 1 << 22
  static let merges = 1 << 22
  static let addedTokenBytes = 1024

  static func check(tokenCount: Int) throws {
    guard tokenCount <= tokens else {
      throw Fault(.invalidData, "the vocabulary has \(tokenCount) tokens; at most \(tokens) are supported")
    }
  }

  static func check(mergeCount: Int) throws {
    guard mergeCount <= merges else { throw Fault(.invalidData, "the tokenizer has \(mergeCount) merges; at most \(merges) are supported") }
  }

  static func check(addedToken content: [UInt8]) throws {
    guard content.count <= addedTokenBytes else {
      throw Fault(.invalidData, "an added token has \(content.count) bytes; at most \(addedTokenBytes) are supported")
    }
  }
}
