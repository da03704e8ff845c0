/// Finds added tokens in text: at each place the longest, from the left, without overlap, as Hugging Face does.
struct AddedTokenMatcher: Sendable {
  private let tokens: [AddedToken]
  /// The trie's edges: node and byte to node. Node 0 is the root.
  private var edges: [UInt64: Int32] = [:]
  /// The token that ends at each node, or −1.
  private var ends: [Int32] = [-1]
  private var starts = [Bool](repeating: false, count: 256)

  /// A part of a text: a token, or text between tokens.
  struct Part: Equatable {
    var token: Int32?
    var range: Range<Int>
  }

  /// Tokens without content are never found.
  init(_ tokens: [AddedToken]) {
    self.tokens = tokens
    for (index, token) in tokens.enumerated() where !token.content.isEmpty {
      var node: Int32 = 0
      for byte in token.content {
        let edge = Self.edge(node, byte)
        if let next = edges[edge] {
          node = next
        } else {
          edges[edge] = Int32(ends.count)
          node = Int32(ends.count)
          ends.append(-1)
        }
      }
      ends[Int(node)] = Int32(index)
      starts[Int(token.content[0])] = true
    }
  }

  /// The parts of `bytes`, in order; text parts are not empty. Unless `parsingSpecial`, special tokens are found but left as text.
  func parts(of bytes: [UInt8], parsingSpecial: Bool) -> [Part] {
    if bytes.isEmpty { return [] }
    if edges.isEmpty { return [Part(token: nil, range: 0..<bytes.count)] }
    var parts: [Part] = []
    var (index, textStart) = (0, 0)
    while index < bytes.count {
      guard starts[Int(bytes[index])], let token = longest(at: index, in: bytes) else {
        index += 1
        continue
      }
      let start = index
      index += token.content.count
      if token.isSpecial && !parsingSpecial { continue }
      if token.isWholeWord, !isWholeWord(bytes, start, index) { continue }
      let from = token.takesSpaceBefore ? max(spaceStart(bytes, before: start), textStart) : start
      let to = token.takesSpaceAfter ? spaceEnd(bytes, from: index) : index
      if textStart < from { parts.append(Part(token: nil, range: textStart..<from)) }
      parts.append(Part(token: token.id, range: min(from, to)..<to))
      textStart = to
    }
    if textStart < bytes.count { parts.append(Part(token: nil, range: textStart..<bytes.count)) }
    return parts
  }

  private func longest(at start: Int, in bytes: [UInt8]) -> AddedToken? {
    var (node, index, found): (Int32, Int, Int32) = (0, start, -1)
    while index < bytes.count, let next = edges[Self.edge(node, bytes[index])] {
      (node, index) = (next, index + 1)
      if ends[Int(node)] >= 0 { found = ends[Int(node)] }
    }
    return found < 0 ? nil : tokens[Int(found)]
  }

  private func isWholeWord(_ bytes: [UInt8], _ start: Int, _ end: Int) -> Bool {
    if start > 0, CharacterClass.isWord(previousScalar(in: bytes, before: start, from: 0).value) { return false }
    return end == bytes.count || !CharacterClass.isWord(scalar(in: bytes, at: end).value)
  }

  private func spaceStart(_ bytes: [UInt8], before end: Int) -> Int {
    var index = end
    while index > 0 {
      let (value, start) = previousScalar(in: bytes, before: index, from: 0)
      guard CharacterClass.of(value) == .space else { break }
      index = start
    }
    return index
  }

  private func spaceEnd(_ bytes: [UInt8], from start: Int) -> Int {
    var index = start
    while index < bytes.count {
      let (value, next) = scalar(in: bytes, at: index)
      guard CharacterClass.of(value) == .space else { break }
      index = next
    }
    return index
  }

  private static func edge(_ node: Int32, _ byte: UInt8) -> UInt64 { UInt64(UInt32(bitPattern: node)) << 8 | UInt64(byte) }
}
