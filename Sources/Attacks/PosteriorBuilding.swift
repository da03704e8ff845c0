import Audit
import Foundation

extension TokenPosterior {
  /// Appends one position; candidates best first, at most `width` of them.
  mutating func append(ids: [Int32], logProbabilities values: [Float], rest: Float) {
    let missing = width - ids.count
    precondition(missing >= 0 && ids.count == values.count, "\(ids.count) candidates for a width of \(width)")
    self.ids += ids + [Int32](repeating: -1, count: missing)
    logProbabilities += values + [Float](repeating: -.infinity, count: missing)
    restLogProbability.append(rest)
  }

  /// Appends position `position` of another posterior of the same width.
  mutating func append(_ other: TokenPosterior, position: Int) {
    let range = position * width..<(position + 1) * width
    ids += other.ids[range]
    logProbabilities += other.logProbabilities[range]
    restLogProbability.append(other.restLogProbability[position])
  }

  /// Appends the `width` most probable tokens of a full row of ln p [V].
  mutating func append(densest row: [Float], width: Int) {
    let top = largest(width, of: row)
    let listed = top.map { row[Int($0)] }
    let rest = max(1e-12, 1 - listed.reduce(0.0) { $0 + exp(Double($1)) })
    append(ids: top, logProbabilities: listed, rest: Float(log(rest)))
  }
}

/// Indices of the `count` largest values, largest first, ties to the smaller index; what is no number comes last. Selection by a threshold, then a sort
/// of the survivors.
func largest(_ count: Int, of values: [Float]) -> [Int32] {
  // States of a hostile view overflow: their scores are no numbers, and comparing those sorts nothing.
  if values.contains(where: \.isNaN) { return largest(count, of: values.map { $0.isNaN ? -.infinity : $0 }) }
  guard count < values.count else {
    return values.indices.sorted { values[$0] == values[$1] ? $0 < $1 : values[$0] > values[$1] }.map(Int32.init)
  }
  // A sample gives a threshold that a few times `count` values pass; if it turns out too high, lower it.
  var sample = stride(from: 0, to: values.count, by: max(1, values.count / 1024)).map { values[$0] }
  sample.sort(by: >)
  var quantile = min(sample.count - 1, max(4, 4 * count * sample.count / values.count))
  while true {
    let threshold = quantile >= sample.count - 1 ? -Float.infinity : sample[quantile]
    var kept: [(Float, Int32)] = []
    for (i, value) in values.enumerated() where value >= threshold { kept.append((value, Int32(i))) }
    if kept.count >= count || threshold == -.infinity {
      kept.sort { $0.0 == $1.0 ? $0.1 < $1.1 : $0.0 > $1.0 }
      return kept.prefix(count).map(\.1)
    }
    quantile = min(sample.count - 1, quantile * 2)
  }
}
