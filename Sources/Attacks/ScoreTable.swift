import Audit
import Foundation
import Kernels

/// Turns a table of scores, one row per position and one column per token, into a reconstruction: the common end of the one-shot attacks.
struct ScoreTable {
  /// Positions scored at once: a row is as wide as the vocabulary.
  static let batch = 256
  static let posteriorWidth = 16

  private var tokens: [Int32] = []
  private var posterior: TokenPosterior?

  /// - Parameter calibrated: whether scores are log-likelihoods, so that their softmax is a posterior worth keeping.
  init(calibrated: Bool) { posterior = calibrated ? TokenPosterior(width: Self.posteriorWidth) : nil }

  mutating func append(_ scores: Matrix, _ compute: Compute) {
    let normalisers = posterior == nil ? [] : compute.logSumExp(scores)
    for row in 0..<scores.rows {
      let values = Array(scores[row: row])
      tokens.append(largest(1, of: values)[0])
      guard posterior != nil else { continue }
      let top = largest(Self.posteriorWidth, of: values)
      let rest = 1e-3
      let listed = top.map { values[Int($0)] - normalisers[row] + Float(log(1 - rest)) }
      let unlisted = max(rest, 1 - listed.reduce(0.0) { $0 + exp(Double($1)) })
      posterior!.append(ids: top, logProbabilities: listed, rest: Float(log(unlisted)))
    }
  }

  func reconstruction(_ view: AdversaryView, started: Date, candidateForwards: Int = 0) -> Reconstruction {
    Reconstruction(
      tokens: (0..<view.documents).map { Array(tokens[view.range(of: $0)]) }, posterior: posterior,
      cost: AttackCost(seconds: Date().timeIntervalSince(started), candidateForwards: candidateForwards))
  }

  /// Scores all rows of `states`, batch by batch.
  static func reconstruct(
    _ view: AdversaryView, _ states: Matrix, calibrated: Bool, _ compute: Compute, _ progress: (Double) throws -> Void,
    scores: (Matrix, Range<Int>) -> Matrix
  ) throws -> Reconstruction {
    let started = Date()
    var table = ScoreTable(calibrated: calibrated)
    for first in stride(from: 0, to: states.rows, by: batch) {
      let rows = first..<min(first + batch, states.rows)
      table.append(scores(states.slice(rows), rows), compute)
      try progress(Double(rows.upperBound) / Double(states.rows))
    }
    return table.reconstruction(view, started: started)
  }
}
