import TextScores

/// Normalised Levenshtein distance over Unicode scalars.
package struct CharacterEditDistance: LeakageMetric {
  package init() {}

  package let descriptor = MetricDescriptor(
    name: "char_edit_distance", summary: "normalised edit distance over characters, 0 = recovered",
    definition: "Levenshtein distance of the texts as Unicode scalars, not normalised / length of the longer one", unit: "fraction",
    range: 0...1,
    higherLeaksMore: false)

  package func score(_ document: ScoredDocument) -> Double? {
    let truth = document.truthText.unicodeScalars.map(\.value)
    let guess = document.guessText.unicodeScalars.map(\.value)
    guard !truth.isEmpty else { return nil }
    return Double(levenshteinDistance(truth, guess)) / Double(max(truth.count, guess.count))
  }
}
