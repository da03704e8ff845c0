import Audit
import Checkpoints
import Kernels
import Llama

/// K candidate labels at each labelled row of a document, with their logits Z and the victim's prediction of each.
struct SoftLabels {
  /// [T − 1, K] flat.
  let ids: [Int32]
  /// ln p of the candidates [T − 1, K].
  let prior: Matrix
  /// Z [T − 1, K].
  var logits: Matrix

  /// Half of the candidates are the most probable of the victim's prediction; the others those with the largest −w_v·D g_t/‖w_v‖, D being the
  /// final norm's Jacobian: the part of a label's gradient that takes no way through a block.
  init(_ model: SoftLabelGradient, _ sent: Matrix, count: Int, _ table: Matrix, _ means: AttackerMeans) {
    var scores = LabelScores(model, sent, table, means)
    var (ids, prior): ([Int32], [Float]) = ([], [])
    for t in 0..<sent.rows - 1 {
      let (logP, aligned) = scores.at(t)
      var listed = largest((count + 1) / 2, of: logP)
      let known = Set(listed)
      listed += largest(count, of: aligned).filter { !known.contains($0) }.prefix(count - listed.count)
      ids += listed
      prior += listed.map { logP[Int($0)] }
    }
    self.ids = ids
    self.prior = Matrix(rows: sent.rows - 1, columns: count, values: prior)
    logits = Matrix(rows: sent.rows - 1, columns: count)
  }

  /// argmax Z of every row.
  var tokens: [Int32] { (0..<logits.rows).map { ids[$0 * logits.columns + Int(argmax(logits[row: $0]))] } }

  /// Where `token` stands among the candidates of a row; nil if it is none.
  func place(of token: Int32, row: Int) -> Int? {
    ids[row * logits.columns..<(row + 1) * logits.columns].firstIndex(of: token).map { $0 - row * logits.columns }
  }

  /// Mean −ln p of labels, all of them candidates of their rows, in nats.
  func meanLoss(_ labels: [Int32]) -> Double {
    let losses = labels.enumerated().map { row, token in place(of: token, row: row).map { -Double(prior[row, $0]) } ?? 0 }
    return losses.reduce(0, +) / Double(max(1, losses.count))
  }

  /// Makes `token` the argmax of its row.
  mutating func prefer(_ token: Int32, row: Int) {
    guard let place = place(of: token, row: row) else { return }
    let best = logits[row: row].max() ?? 0
    if logits[row, place] < best { logits[row, place] = best + 0.1 }
  }
}
