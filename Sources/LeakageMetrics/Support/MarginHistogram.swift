package import Audit
import Diagnostics
import Foundation

extension MarginHistogram {
  /// Bins a decade; the edges 10^(k/8) are the same for every cut, so histograms can be laid over each other.
  static let binsPerDecade = 8.0

  /// Quantiles and a log-spaced histogram of margins.
  ///
  /// - Parameters:
  ///   - distances: L2 distance of each true state to that of its nearest rival token, activation units, over all `channels`.
  ///   - inputBlocks: number of input blocks p of the cut.
  ///   - rms: root mean square of a state's coordinate at the cut.
  /// - Throws: `Fault` without a distance, or if one is negative or not finite.
  package init(distances: [Double], inputBlocks: Int, rms: Double, channels: Int) throws {
    guard !distances.isEmpty else { throw Fault(.invalidData, "no margin was measured at \(inputBlocks) input blocks") }
    if let bad = distances.first(where: { !($0 >= 0 && $0.isFinite) }) {
      throw Fault(.invalidData, "a margin at \(inputBlocks) input blocks is \(bad)", hint: "the hidden states overflow or hold NaN")
    }
    let sorted = distances.sorted()
    let edges = Self.edges(for: sorted)
    var counts = [Int](repeating: 0, count: edges.count)
    var bin = 0
    for distance in sorted {
      while bin < edges.count - 1, distance > edges[bin] { bin += 1 }
      counts[bin] += 1
    }
    self.init(
      inputBlocks: inputBlocks, quantiles: [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1].map { quantile($0, ofSorted: sorted) }, rms: rms,
      channels: channels, edges: edges, counts: counts)
  }

  /// Upper edges from the smallest positive distance to the largest; the first bin also holds everything below, zeros included. At most 400.
  private static func edges(for sorted: [Double]) -> [Double] {
    guard let smallest = sorted.first(where: { $0 > 0 }), let largest = sorted.last else { return [0] }
    func edge(_ k: Int) -> Double { min(pow(10, Double(k) / binsPerDecade), .greatestFiniteMagnitude) }
    func index(_ distance: Double) -> Int {
      let k = Int((log10(distance) * binsPerDecade).rounded(.up))
      return edge(k) < distance ? k + 1 : k
    }
    let last = index(largest)
    return (max(index(smallest), last - 399)...last).map(edge)
  }
}
