import TextScores

/// Normalised Levenshtein distance over tokens.
package struct TokenEditDistance: LeakageMetric {
  package init() {}

  package let descriptor = MetricDescriptor(
    name: "edit_distance", summary: "normalised edit distance over tokens, 0 = recovered",
    definition: "Levenshtein distance of the token sequences / length of the longer one", unit: "fraction", range: 0...1,
    higherLeaksMore: false)

  package func score(_ document: ScoredDocument) -> Double? {
    guard !document.truthTokens.isEmpty else { return nil }
    let longest = max(document.truthTokens.count, document.guessTokens.count)
    return Double(levenshteinDistance(document.truthTokens, document.guessTokens)) / Double(longest)
  }
}
