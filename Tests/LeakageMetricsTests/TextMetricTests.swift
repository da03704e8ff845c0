import Foundation
import LeakageMetrics
import PrivateText
import TestSupport
import Testing

@Suite struct TextMetricTests {
  @Test func rougeEqualsRougeScore() throws {
    let documents = try Reference.load().documents
    #expect(documents.count > 140)
    for document in documents {
      let metrics: [(any LeakageMetric, Int)] = [(RougeN(order: 1), 1), (RougeN(order: 2), 2), (RougeL(), 1)]
      for ((metric, needed), expected) in zip(metrics, document.rouge) {
        let value = metric.score(document.scored)
        #expect((value != nil) == (document.rouge_words >= needed), "\(metric.descriptor.name) \(document)")
        #expect(abs((value ?? 0) - expected) < 1e-12, "\(metric.descriptor.name) \(document)")
      }
    }
  }

  @Test func bleuEqualsSacreBLEU() throws {
    let reference = try Reference.load()
    let metric = CorpusBLEU()
    for document in reference.documents {
      #expect(metric.statistics(document.scored) ?? Array(repeating: 0, count: 10) == document.bleu_statistics, "\(document)")
      #expect(abs((metric.score(document.scored) ?? 0) - document.bleu) < 1e-9, "\(document)")
    }
    let corpus = try #require(metric.estimate(reference.documents.map(\.scored), seed: 1, resamples: 10))
    #expect(abs(corpus.mean - reference.corpus_bleu) < 1e-9)
  }

  @Test func unsmoothedBLEUEqualsNLTK() throws {
    for document in try Reference.load().documents {
      #expect(abs((UnsmoothedBLEU().score(document.scored) ?? 0) - document.unsmoothed) < 1e-12, "\(document)")
    }
    // Four words of which three consecutive ones match: no 4-gram, hence 0 and not nltk's 1e-78.
    #expect(UnsmoothedBLEU().score(document("a b c d", "a b c e")) == 0)
  }

  @Test func characterEditDistanceEqualsNLTK() throws {
    for document in try Reference.load().documents {
      guard let expected = document.char_edit else { continue }
      #expect(abs((CharacterEditDistance().score(document.scored) ?? expected) - expected) < 1e-12, "\(document)")
    }
    // Composed and decomposed é are different texts, although Swift strings call them equal.
    #expect(CharacterEditDistance().score(document("\u{e9}", "e\u{301}")) == 1)
  }

  @Test func pythonsWhiteSpace() throws {
    let spaces = Set(try Reference.load().spaces)
    for value in UInt32(0)...0x3100 {
      guard let scalar = Unicode.Scalar(value) else { continue }
      // Five words if the scalar separates, else four: only then do all four orders match.
      let text = "a b c d" + String(scalar) + "e"
      let counts = CorpusBLEU().statistics(document("", "x\(scalar)y"))
      if value != 0x27 && (value < 0x21 || value > 0x7E) {
        #expect((counts?[0] == 2) == spaces.contains(value), "U+\(String(value, radix: 16))")
      }
      #expect(UnsmoothedBLEU().score(document(text, text)) == 1)
    }
  }

  @Test func emptyTruthIsUndefined() {
    let empty = ScoredDocument(truthTokens: [], guessTokens: [], truthText: "", guessText: "")
    for metric in MetricCatalog.all { #expect(metric.score(empty) == nil, "\(metric.descriptor.name)") }
  }

  @Test func perfectReconstruction() {
    let text = "One (1) perfect copy, with a-b and 1,000 words; naïve 🙂!"
    let same = ScoredDocument(
      truthTokens: [5, 6, 7], guessTokens: [5, 6, 7], truthText: text, guessText: text, truthLogProbability: [0, 0, 0],
      priorLogProbability: [-log(4.0), -log(4.0), -log(4.0)],
      isRare: [true, false, true], isContent: [false, true, true],
      entities: PrivateEntity.Kind.allCases.map { ScoredEntity(kind: $0, text: "Ada", guess: "Ada") },
      secretRanks: [SecretRank(rank: 1, alternatives: 8)], isResponse: [false, false, true])
    for metric in MetricCatalog.all {
      let best: Double =
        ["bleu4": 100, "bits_per_token": 2, "edit_distance": 0, "char_edit_distance": 0, "canary_exposure": 3][
          metric.descriptor.name] ?? 1
      #expect(abs((metric.score(same) ?? .nan) - best) < 1e-12, "\(metric.descriptor.name)")
    }
  }

  /// Long and odd texts in reasonable time and memory; values stay in range.
  @Test func hostileTexts() {
    var random = SplitMix(state: 3)
    let pool: [Unicode.Scalar] = [
      "a", "B", "1", ".", ",", "-", "&", "<", "\n", "\0", "\u{301}", "é", "🙂", "\u{200D}", "\u{FFFD}", " ", "\u{10FFFF}", "İ",
    ]
    func text(_ length: Int) -> String {
      var out = String.UnicodeScalarView()
      for _ in 0..<length { out.append(pool[random.below(pool.count)]) }
      return String(out)
    }
    var documents = (0..<500).map { _ in document(text(random.below(60)), text(random.below(60))) }
    documents += [
      document(String(repeating: "a", count: 40_000), String(repeating: "b", count: 40_000)),
      document(String(repeating: "ab ", count: 12_000), String(repeating: "ba c ", count: 9_000)),
      document(text(30_000), text(30_000)), document(String(repeating: "\u{301}", count: 20_000), String(repeating: "\0", count: 20_000)),
    ]
    for metric in MetricCatalog.all {
      for document in documents {
        guard let value = metric.score(document) else { continue }
        #expect(metric.descriptor.range.contains(value), "\(metric.descriptor.name) \(value)")
      }
    }
  }
}
