import Foundation
import LeakageMetrics
import PrivateText
import Tokenizers

/// What the scorer knows of one private document beside its tokens, worked out once for all attacks.
struct ScoringAids: Sendable {
  /// A canary: everything it could have been that has as many tokens, and which of them it is.
  struct Secret: Sendable {
    var position: Int
    var candidates: [[Int32]]
    var truth: Int
  }

  let isRare: [Bool]?
  let isContent: [Bool]
  let secrets: [Secret]?

  /// - Parameter common: the tokens that are not rare; nil without public text.
  init(_ document: PrivateDocument, common: Set<Int32>?, _ tokenizer: any Tokenizer) {
    isRare = common.map { common in document.tokens.map { !common.contains($0) } }
    isContent = TextPositions(document.tokens, of: document.text, tokenizer).isContent(document.text)
    let marked = (document.entities ?? []).compactMap { entity in entity.space.flatMap { Self.secret(entity, $0, document, tokenizer) } }
    secrets = marked.isEmpty ? nil : marked
  }

  /// The most frequent tokens of public text that together make up `RareTokenAccuracy.commonShare` of it; nil for empty text.
  static func commonTokens(_ passages: [[Int32]]) -> Set<Int32>? {
    var counts: [Int32: Int] = [:]
    for token in passages.joined() { counts[token, default: 0] += 1 }
    let total = counts.values.reduce(0, +)
    guard total > 0 else { return nil }
    var (common, covered): (Set<Int32>, Int) = ([], 0)
    for (token, count) in counts.sorted(by: { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }) {
      if Double(covered) >= RareTokenAccuracy.commonShare * Double(total) { break }
      common.insert(token)
      covered += count
    }
    return common
  }

  /// Nil if the tokens around the secret cannot be made again from their text.
  private static func secret(
    _ entity: PrivateEntity, _ space: SecretSpace, _ document: PrivateDocument, _ tokenizer: any Tokenizer
  ) -> Secret? {
    let own = Array(document.tokens[entity.tokens])
    let window = tokenizer.decode(own)
    guard let place = window.range(of: entity.text), tokenizer.encode(window, parsingSpecial: false) == own else { return nil }
    var candidates: [[Int32]] = []
    var truth: Int?
    for index in 0..<space.count {
      let member = space.member(index)
      let tokens = tokenizer.encode(window.replacingCharacters(in: place, with: member), parsingSpecial: false)
      guard tokens.count == own.count else { continue }
      if member == entity.text { truth = candidates.count }
      candidates.append(tokens)
    }
    return truth.map { Secret(position: entity.tokens.lowerBound, candidates: candidates, truth: $0) }
  }
}
