import Diagnostics

/// Draws passages of a given number of tokens from long sources.
package struct PassageSampling: Sendable, Hashable {
  package var count: Int
  /// Inclusive bounds on the tokens of a passage.
  package var minTokens: Int
  package var maxTokens: Int
  package var seed: UInt64

  package init(count: Int, minTokens: Int, maxTokens: Int, seed: UInt64) {
    precondition(count >= 0 && minTokens >= 1 && minTokens <= maxTokens, "bad sampling \(count), \(minTokens)…\(maxTokens)")
    (self.count, self.minTokens, self.maxTokens, self.seed) = (count, minTokens, maxTokens, seed)
  }

  /// `count` passages that do not overlap, in the order drawn; passage `i` is the same for every `count` > i.
  ///
  /// A source is drawn uniformly, then the start of one of its sentences, then a length L uniform in min…max. The passage is the longest run
  /// of whole sentences from there with min…L tokens, or, when no sentence ends in that range, the longest run of whole words. White space
  /// becomes one space. Throws `Fault` 65 when the sources hold no further passage of that length; rethrows the tokenizer's faults.
  package func passages(from sources: [SourceText], tokenize: Tokenize) throws -> [TextDocument] {
    guard !sources.isEmpty else { throw Fault(.invalidData, "there is no source to draw passages from") }
    var words: [Int: SentenceWords] = [:]
    var used: [Int: [Range<Int>]] = [:]
    var out: [TextDocument] = []
    out.reserveCapacity(min(count, 4_096))
    for index in 0..<count {
      var draws = CounterGenerator(seed: seed, stream: UInt64(index))
      var found: TextDocument?
      for _ in 0..<500 where found == nil {
        let source = draws.index(below: sources.count)
        let text = words[source] ?? SentenceWords(sources[source].text)
        words[source] = text
        let length = minTokens + draws.index(below: maxTokens - minTokens + 1)
        let draw = draws.index(below: max(1, text.starts.count))
        guard !text.starts.isEmpty else { continue }
        guard let range = try text.run(from: text.starts[draw], tokens: minTokens...length, tokenize: tokenize) else { continue }
        guard !(used[source] ?? []).contains(where: { $0.overlaps(range) }) else { continue }
        used[source, default: []].append(range)
        found = TextDocument(id: "\(sources[source].id)/w\(range.lowerBound)", text: text.text(range))
      }
      guard let found else {
        throw Fault(
          .invalidData, "the sources hold only \(index) passages of \(minTokens)…\(maxTokens) tokens, \(count) are asked for",
          hint: "lower limit, or widen min_tokens…max_tokens")
      }
      out.append(found)
    }
    return out
  }
}
