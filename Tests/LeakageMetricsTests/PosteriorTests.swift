import Audit
import Diagnostics
import Foundation
import LeakageMetrics
import TestSupport
import Testing

@Suite struct PosteriorTests {
  /// Two positions over five tokens: (.5 token 3, .25 token 0, rest .25) and (.9 token 1, padding, rest .1).
  private func posterior() -> TokenPosterior {
    TokenPosterior(
      width: 2, ids: [3, 0, 1, -1], logProbabilities: [log(0.5), log(0.25), log(0.9), .nan],
      restLogProbability: [log(0.25), log(0.1)])
  }

  private func close(_ a: [Double], _ b: [Double]) -> Bool { a.count == b.count && zip(a, b).allSatisfy { abs(exp($0) - $1) < 2e-6 } }

  @Test func listedAndUnlistedTokens() throws {
    #expect(close(try truthLogProbabilities(of: [3, 1], in: posterior(), from: 0, vocabularySize: 5), [0.5, 0.9]))
    #expect(close(try truthLogProbabilities(of: [0, 4], in: posterior(), from: 0, vocabularySize: 5), [0.25, 0.1 / 4]))
    #expect(close(try truthLogProbabilities(of: [1], in: posterior(), from: 0, vocabularySize: 5), [0.25 / 3]))
    #expect(close(try truthLogProbabilities(of: [0], in: posterior(), from: 1, vocabularySize: 5), [0.1 / 4]))
    #expect(try truthLogProbabilities(of: [], in: posterior(), from: 2, vocabularySize: 5).isEmpty)
    let flat = TokenPosterior(width: 0, restLogProbability: [0])
    #expect(close(try truthLogProbabilities(of: [7], in: flat, from: 0, vocabularySize: 8), [0.125]))
  }

  @Test func theScoredLawIsADistribution() throws {
    for position in 0..<2 {
      let total = try (0..<5).reduce(0.0) {
        $0 + exp(try truthLogProbabilities(of: [Int32($1)], in: posterior(), from: position, vocabularySize: 5)[0])
      }
      #expect(abs(total - 1) < 1e-12)
    }
  }

  @Test func impossibleHasAFinitePrice() throws {
    let sure = TokenPosterior(width: 1, ids: [2], logProbabilities: [0], restLogProbability: [-.infinity])
    let values = try truthLogProbabilities(of: [1], in: sure, from: 0, vocabularySize: 49_152)
    #expect(abs(values[0] - log(uniformShare / 49_152)) < 1e-9)
    let document = ScoredDocument(
      truthTokens: [1], guessTokens: [2], truthText: "", guessText: "", truthLogProbability: values, priorLogProbability: [-log(49_152)])
    #expect(abs((BitsPerToken().score(document) ?? .nan) + 6 * log2(10)) < 1e-9)
  }

  @Test func bits() {
    func score(_ p: [Double], _ q: [Double]) -> Double? {
      BitsPerToken().score(
        ScoredDocument(
          truthTokens: [1, 2], guessTokens: [], truthText: "", guessText: "", truthLogProbability: p, priorLogProbability: q))
    }
    #expect(abs((score([log(0.5), log(1)], [log(0.25), log(0.125)]) ?? .nan) - 2) < 1e-12)
    #expect(score([-.infinity, 0], [0, 0]) == -50)
    #expect(score([.nan, 0], [0, 0]) == nil)
    #expect(score([.infinity, 0], [0, 0]) == nil)
    #expect(BitsPerToken().score(document("a", "a")) == nil)
  }

  @Test func refusesWhatIsNoPosterior() {
    func fault(_ change: (inout TokenPosterior) -> Void, truth: [Int32] = [3, 1], from offset: Int = 0, vocabulary: Int = 5) -> Fault? {
      var changed = posterior()
      change(&changed)
      return #expect(throws: Fault.self) { try truthLogProbabilities(of: truth, in: changed, from: offset, vocabularySize: vocabulary) }
    }
    #expect(fault { $0.width = 3 }?.message.contains("candidates") == true)
    _ = fault { $0.width = .max }
    _ = fault { $0.width = -1 }
    _ = fault { $0.ids[0] = 5 }
    _ = fault { $0.ids[0] = -2 }
    #expect(fault { $0.ids[1] = 3 }?.message.contains("twice") == true)
    _ = fault { $0.logProbabilities[0] = .nan }
    _ = fault { $0.logProbabilities[0] = 5 }
    #expect(fault { $0.logProbabilities[0] = 0 }?.hint?.contains("softmax") == true)
    _ = fault({ _ in }, truth: [5])
    _ = fault({ _ in }, truth: [-1])
    _ = fault({ _ in }, from: 1)
    _ = fault({ _ in }, from: -1)
    _ = fault({ _ in }, from: .max)
    _ = fault({ _ in }, vocabulary: 0)
    _ = fault({ _ in }, vocabulary: .max)
  }

  /// Thousands of broken posteriors: a finite, non-positive answer or a `Fault`.
  @Test func hostilePosteriors() {
    var random = SplitMix(state: 13)
    var (parsed, refused) = (0, 0)
    for _ in 0..<5_000 {
      var broken = posterior()
      for _ in 0..<(1 + random.below(2)) {
        switch random.below(6) {
        case 0: broken.ids[random.below(4)] = Int32(truncatingIfNeeded: random.next())
        case 1: broken.ids[random.below(4)] = Int32(random.below(7)) - 1
        case 2: broken.logProbabilities[random.below(4)] = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
        case 3: broken.restLogProbability[random.below(2)] = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))
        case 4: broken.width = Int(truncatingIfNeeded: random.next()) >> random.below(63)
        default: broken.logProbabilities[random.below(4)] += 0.001
        }
      }
      do {
        let values = try truthLogProbabilities(of: [3, 2], in: broken, from: 0, vocabularySize: 5)
        #expect(values.allSatisfy { $0.isFinite && $0 <= 0 })
        parsed += 1
      } catch {
        #expect(error is Fault)
        refused += 1
      }
    }
    #expect(parsed > 100 && refused > 100)
  }

  @Test func marginHistogram() throws {
    let histogram = try MarginHistogram(distances: [0, 0.1, 1, 1.01, 2, 99, 100], inputBlocks: 2, rms: 1.5, channels: 576)
    #expect(histogram.counts.reduce(0, +) == 7 && histogram.counts.count == histogram.edges.count)
    #expect(histogram.quantiles.first == 0 && histogram.quantiles[3] == 1.01 && histogram.quantiles.last == 100)
    #expect(zip(histogram.edges, histogram.edges.dropFirst()).allSatisfy { abs($1 / $0 - 1.333_521_432) < 1e-6 })
    #expect(histogram.counts[0] == 2 && histogram.edges[0] >= 0.1 && (histogram.edges.last ?? 0) >= 100)
    for (bin, edge) in histogram.edges.enumerated() {
      #expect(histogram.counts[0...bin].reduce(0, +) == [0, 0.1, 1, 1.01, 2, 99, 100].count { $0 <= edge })
    }
    #expect(histogram.inputBlocks == 2 && histogram.rms == 1.5 && histogram.channels == 576)
  }

  @Test func marginHistogramOfOddDistances() throws {
    #expect(try MarginHistogram(distances: [0, 0], inputBlocks: 1, rms: 1, channels: 1).counts == [2])
    let wide = try MarginHistogram(distances: [.leastNonzeroMagnitude, 1, .greatestFiniteMagnitude], inputBlocks: 1, rms: 1, channels: 1)
    #expect(wide.edges.count <= 400 && wide.counts.reduce(0, +) == 3 && wide.edges.allSatisfy(\.isFinite))
    for bad in [[], [-1], [.nan, 1], [1, .infinity]] as [[Double]] {
      #expect(throws: Fault.self) { try MarginHistogram(distances: bad, inputBlocks: 1, rms: 1, channels: 1) }
    }
  }
}
