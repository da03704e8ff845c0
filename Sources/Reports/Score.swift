import Audit

/// One metric of one attack at one noise level: a `CellResult`, or several that differ only by seed put together.
struct Score: Sendable, Equatable {
  /// Mean over seeds of the means over documents.
  var mean: Double
  /// The 95 % interval over documents; with several seeds the widest bounds of theirs.
  var low: Double
  var high: Double
  /// Documents.
  var n: Int
  var seeds: Int
  /// Mean paired difference to the strongest baseline, nil for a baseline.
  var gain: Double?
  /// Its 95 % interval, with several seeds the widest bounds; nil in records that lack it.
  var gainLow: Double?
  var gainHigh: Double?
  /// Mean wall-clock seconds.
  var seconds: Double
  var higherLeaksMore: Bool

  /// Nil if there is no result whose mean is finite; bounds that are not finite fall to the mean.
  init?(_ results: [CellResult]) {
    let results = results.filter { $0.mean.isFinite }
    guard let first = results.first else { return nil }
    let count = Double(results.count)
    mean = results.reduce(0) { $0 + $1.mean / count }
    low = results.map { $0.ci95.first.flatMap { $0.isFinite ? $0 : nil } ?? $0.mean }.min() ?? mean
    high = results.map { $0.ci95.last.flatMap { $0.isFinite ? $0 : nil } ?? $0.mean }.max() ?? mean
    n = results.map(\.n).min() ?? 0
    seeds = results.count
    let gains = results.compactMap(\.gainOverBaseline).filter(\.isFinite)
    gain = gains.isEmpty ? nil : gains.reduce(0) { $0 + $1 / Double(gains.count) }
    let bounds = results.compactMap(\.gainCI95).filter { $0.count == 2 && $0.allSatisfy(\.isFinite) }
    gainLow = bounds.map { $0[0] }.min()
    gainHigh = bounds.map { $0[1] }.max()
    let times = results.map(\.seconds).filter(\.isFinite)
    seconds = times.reduce(0) { $0 + $1 / Double(times.count) }
    higherLeaksMore = first.higherLeaksMore
  }

  /// Whether this score leaks more than another of the same metric.
  func leaksMore(than other: Score) -> Bool { higherLeaksMore ? mean > other.mean : mean < other.mean }
}
