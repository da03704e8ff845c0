import Foundation

/// A linear axis from `low` to `high` with round ticks.
struct ValueScale: Sendable, Equatable {
  var low: Double
  var high: Double
  var ticks: [Double]

  init(low: Double, high: Double, intervals: Int = 4) {
    precondition(low < high && low.isFinite && high.isFinite && (1...20).contains(intervals), "no axis from \(low) to \(high)")
    (self.low, self.high) = (low, high)
    ticks = (0...intervals).map { $0 == intervals ? high : low + (high - low) * Double($0) / Double(intervals) }
  }

  /// From 0 (or a round number below the least value) to a round number above the greatest; values that are not finite are left out.
  init(covering values: [Double]) {
    let values = values.filter { $0.isFinite && abs($0) < 1e100 }
    let (least, greatest) = (min(0, values.min() ?? 0), max(0, values.max() ?? 1))
    let span = max(greatest - least, 1e-9)
    let raw = span / 4
    let power = pow(10, log10(raw).rounded(.down))
    let step = ([1, 2, 2.5, 5, 10].first { $0 * power >= raw * 0.999 } ?? 10) * power
    low = (least / step).rounded(.down) * step
    high = max(low + step, (greatest / step).rounded(.up) * step)
    let count = min(20, max(1, Int(((high - low) / step).rounded())))
    let start = low
    ticks = (0...count).map { start + step * Double($0) }
  }

  /// Position of a value between 0 and 1, clamped to the axis.
  func fraction(_ value: Double) -> Double {
    guard value.isFinite else { return 0 }
    return min(1, max(0, (value - low) / (high - low)))
  }
}
