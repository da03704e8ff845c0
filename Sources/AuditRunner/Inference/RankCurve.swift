import Foundation
import Kernels
import LeakageMetrics

/// The area under an ROC curve when units count several times, as in a bootstrap: sorted once, then linear a resample.
struct RankCurve {
  /// Units by rising score, in groups of equal score.
  private let ties: [[Int]]
  private let flags: [Bool]

  init(_ scores: [Double], _ flags: [Bool]) {
    var ties: [[Int]] = []
    var last: Double?
    for index in scores.indices.sorted(by: { scores[$0] < scores[$1] }) {
      if scores[index] == last { ties[ties.count - 1].append(index) } else { ties.append([index]) }
      last = scores[index]
    }
    (self.ties, self.flags) = (ties, flags)
  }

  /// P(positive above negative), ties half; nil without both kinds.
  /// - Parameter weights: how often each unit counts.
  func area(_ weights: [Double]) -> Double? {
    var (below, negatives, positives, area) = (0.0, 0.0, 0.0, 0.0)
    for tie in ties {
      var (yes, no) = (0.0, 0.0)
      for index in tie { if flags[index] { yes += weights[index] } else { no += weights[index] } }
      area += yes * (below + no / 2)
      (below, negatives, positives) = (below + no, negatives + no, positives + yes)
    }
    return negatives > 0 && positives > 0 ? area / (negatives * positives) : nil
  }

  /// The units of every group, groups by rising number.
  static func members(_ groups: [Int]) -> [[Int]] {
    Dictionary(grouping: groups.indices) { groups[$0] }.sorted { $0.key < $1.key }.map(\.value)
  }

  /// 95 % percentile bootstrap; whole groups are drawn. Randomness: `seed`.
  func interval(_ groups: [Int]?, _ resamples: Int, seed: UInt64) -> [Double]? {
    let members = groups.map(Self.members) ?? flags.indices.map { [$0] }
    var generator = CounterRandom(seed: seed, stream: "inference/bootstrap").generator()
    var areas: [Double] = []
    for _ in 0..<resamples {
      var weights = [Double](repeating: 0, count: flags.count)
      for _ in members.indices { for index in members[Int.random(in: members.indices, using: &generator)] { weights[index] += 1 } }
      if let area = area(weights) { areas.append(area) }
    }
    guard !areas.isEmpty else { return nil }
    areas.sort()
    return [quantile(0.025, ofSorted: areas), quantile(0.975, ofSorted: areas)]
  }
}
