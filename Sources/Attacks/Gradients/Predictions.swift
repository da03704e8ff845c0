import Audit
import Checkpoints
import Foundation
import Kernels
import Llama

/// The victim's next-token predictions p_t = softmax(head(h_t)) at the rows of a document, some rows at a time, asked from the last row on.
struct Predictions {
  private let head: OutputHead
  private let excluded: [Int32]
  private let rowsAtOnce: Int
  private var rows = 0..<0
  private var logProbabilities = Matrix(rows: 0, columns: 0)
  private var means = Matrix(rows: 0, columns: 0)

  init(_ head: OutputHead, _ means: AttackerMeans, rowsAtOnce: Int) {
    (self.head, excluded, self.rowsAtOnce) = (head, means.excluded.sorted(), rowsAtOnce)
  }

  /// ln p of the tokens [V], those that never occur in text thirty nats less likely; and Σ_v p_v w_v [1, C] of p as the client has it.
  /// - Parameter states: after the last block [T, C].
  mutating func at(_ row: Int, of states: Matrix) -> (logProbabilities: [Float], mean: Matrix) {
    if !rows.contains(row) {
      let first = row / rowsAtOnce * rowsAtOnce
      rows = first..<min(states.rows, first + rowsAtOnce)
      let compute = head.compute
      var logits = head.logits(states.slice(rows))
      let normalisers = compute.logSumExp(logits)
      for r in 0..<logits.rows { for v in 0..<logits.columns { logits.values[r * logits.columns + v] -= normalisers[r] } }
      logProbabilities = logits
      for i in logits.values.indices { logits.values[i] = expf(logits.values[i]) }
      means = head.weight.applyTransposed(logits, compute)
    }
    let local = row - rows.lowerBound
    var values = Array(logProbabilities[row: local])
    for token in excluded { values[Int(token)] -= 30 }
    return (values, means.slice(local..<local + 1))
  }
}
