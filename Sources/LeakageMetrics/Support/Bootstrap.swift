/// A corpus value with its uncertainty over documents.
package struct Estimate: Sendable, Codable, Equatable {
  /// The value of the whole corpus: the mean of the documents, or the metric's own aggregate.
  package var mean: Double
  /// 95 % percentile bootstrap interval.
  package var lower: Double
  package var upper: Double
  /// Standard deviation of the bootstrap replicates.
  package var standardError: Double
  /// Documents for which the metric is defined.
  package var n: Int

  package init(mean: Double, lower: Double, upper: Double, standardError: Double, n: Int) {
    (self.mean, self.lower, self.upper, self.standardError, self.n) = (mean, lower, upper, standardError, n)
  }

  enum CodingKeys: String, CodingKey { case mean, lower, upper, standardError = "stderr", n }

  /// [lower, upper], as records write it.
  package var ci95: [Double] { [lower, upper] }

  /// True if the documents show no spread (one document, or all of the same value): the interval is then a point and says nothing about
  /// documents that were not sampled.
  package var isDegenerate: Bool { lower == upper }
}

/// Percentile bootstrap over documents (Efron 1979): resamples the rows with replacement, adds them up and aggregates each sum.
///
/// - Parameters:
///   - rows: additive statistics, one row of equal length a document.
///   - seed: the draws are a function of the seed, the number of rows and the resample alone, so equal sets of documents are resampled alike.
///   - aggregate: the corpus value of a sum of rows.
/// - Returns: nil without a row.
package func bootstrap(_ rows: [[Double]], seed: UInt64, resamples: Int = 2_000, aggregate: ([Double]) -> Double) -> Estimate? {
  guard let width = rows.first?.count else { return nil }
  precondition(rows.allSatisfy { $0.count == width } && resamples > 1, "bootstrap needs rows of equal length and two resamples")
  let flat = rows.flatMap { $0 }
  func aggregated(_ draw: (Int) -> Int) -> Double {
    var sum = [Double](repeating: 0, count: width)
    for i in 0..<rows.count {
      let row = draw(i) * width
      for j in 0..<width { sum[j] += flat[row + j] }
    }
    return aggregate(sum)
  }
  var random = SplitMix64(seed: seed)
  let replicates = (0..<resamples).map { _ in aggregated { _ in random.index(below: rows.count) } }.sorted()
  let centre = replicates.reduce(0, +) / Double(resamples)
  let variance = replicates.reduce(0) { $0 + ($1 - centre) * ($1 - centre) } / Double(resamples - 1)
  return Estimate(
    mean: aggregated { $0 }, lower: quantile(0.025, ofSorted: replicates), upper: quantile(0.975, ofSorted: replicates),
    standardError: rows.count == 1 ? 0 : variance.squareRoot(), n: rows.count)
}

extension LeakageMetric {
  /// The corpus value over all documents for which the metric is defined; nil if there is none.
  package func estimate(_ documents: [ScoredDocument], seed: UInt64, resamples: Int = 2_000) -> Estimate? {
    bootstrap(documents.compactMap(statistics), seed: seed, resamples: resamples, aggregate: aggregate)
  }

  /// Attack minus baseline on the same documents, resampled in pairs; over the documents for which both are defined, nil if there is none.
  /// In the metric's own direction: where `higherLeaksMore` is false, a stronger attack has a negative gain.
  package func gain(attack: [ScoredDocument], baseline: [ScoredDocument], seed: UInt64, resamples: Int = 2_000) -> Estimate? {
    precondition(attack.count == baseline.count, "\(attack.count) attacked documents are paired with \(baseline.count)")
    let rows = zip(attack, baseline).compactMap { pair -> [Double]? in
      guard let ours = statistics(pair.0), let theirs = statistics(pair.1) else { return nil }
      return ours + theirs
    }
    return bootstrap(rows, seed: seed, resamples: resamples) { sum in
      aggregate(Array(sum.prefix(sum.count / 2))) - aggregate(Array(sum.suffix(sum.count / 2)))
    }
  }
}

/// The p-quantile of sorted values by linear interpolation (Hyndman & Fan type 7, numpy's default).
package func quantile(_ p: Double, ofSorted values: [Double]) -> Double {
  precondition(!values.isEmpty && (0...1).contains(p), "the \(p)-quantile of \(values.count) values")
  let place = p * Double(values.count - 1)
  let low = Int(place)
  let high = min(low + 1, values.count - 1)
  return values[low] == values[high] ? values[low] : values[low] + (place - Double(low)) * (values[high] - values[low])
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct SplitMix64 {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Uniform in 0..<bound, up to a bias of bound / 2^64.
  mutating func index(below bound: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(bound)).high) }
}
