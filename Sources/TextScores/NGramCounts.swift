/// How often each n-gram of a word sequence occurs.
package struct NGramCounts {
  package private(set) var counts: [SIMD4<Int>: Int] = [:]
  /// Number of n-grams, repeats included.
  package let total: Int

  /// - Parameter order: 1 to 4.
  package init(_ words: [Int], order: Int) {
    total = max(0, words.count - order + 1)
    for start in 0..<total {
      var gram = SIMD4<Int>(repeating: -1)
      for i in 0..<order { gram[i] = words[start + i] }
      counts[gram, default: 0] += 1
    }
  }

  /// Σ over n-grams of the smaller of the two counts.
  package func overlap(with other: NGramCounts) -> Int {
    counts.reduce(0) { $0 + min($1.value, other.counts[$1.key] ?? 0) }
  }
}
