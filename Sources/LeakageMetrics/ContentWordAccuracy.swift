/// Token accuracy at the words that carry the content.
package struct ContentWordAccuracy: LeakageMetric {
  package init() {}

  package let descriptor = MetricDescriptor(
    name: "content_word_accuracy", summary: "share of the tokens of content words that were guessed",
    definition: """
      token accuracy over positions whose true token holds a letter or digit of a content word, all documents together: a run of letters, digits and \
      apostrophes that is not one of 226 English function words (articles, pronouns, prepositions, conjunctions, auxiliaries)
      """, unit: "fraction", range: 0...1)

  package func score(_ document: ScoredDocument) -> Double? { statistics(document).map(aggregate) }

  package func statistics(_ document: ScoredDocument) -> [Double]? { hits(of: document, where: document.isContent) }
}
