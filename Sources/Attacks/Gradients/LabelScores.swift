import Audit
import Checkpoints
import Kernels
import Llama

/// Two quick opinions on the label of a row, each over the whole vocabulary: what the victim predicts, and which labels' head rows lie along the
/// returned gradient.
struct LabelScores {
  private let model: SoftLabelGradient
  /// ‖w_v‖ [V].
  private let lengths: [Float]
  /// −D g [T, C], D the final norm's Jacobian.
  private let pull: Matrix
  private var predictions: Predictions
  private let compute: Compute

  /// - Parameters:
  ///   - sent: g [T, C] of the document that `model` is of.
  ///   - table: the head's matrix [V, C].
  init(_ model: SoftLabelGradient, _ sent: Matrix, _ table: Matrix, _ means: AttackerMeans) {
    let head = means.model.head
    (self.model, compute) = (model, means.model.compute)
    lengths = means.memory.table("lengths of the head's rows") {
      (0..<table.rows).map { v in max(1e-12, table[row: v].reduce(0) { $0 + $1 * $1 }.squareRoot()) }
    }
    predictions = Predictions(head, means, rowsAtOnce: 64)
    // D is symmetric but for the norm's weight: D g = w ⊙ (backward of the bare norm).
    var bare = Matrix(rows: sent.rows, columns: sent.columns)
    compute.rmsNormBackward(
      model.output, weight: [Float](repeating: 1, count: sent.columns), epsilon: head.epsilon, dy: sent, into: &bare)
    for r in 0..<bare.rows { for c in 0..<bare.columns { bare.values[r * bare.columns + c] *= -head.norm[c] } }
    pull = bare
  }

  /// ln p of every label at row `t` [V], and −w_v·D g_t/‖w_v‖ [V]: the part of a label's gradient that takes no way through a block.
  mutating func at(_ t: Int) -> (logProbabilities: [Float], alignment: [Float]) {
    var aligned = model.head.weight.apply(pull.slice(t..<t + 1), compute).values
    for v in aligned.indices { aligned[v] /= lengths[v] }
    return (predictions.at(t, of: model.output).logProbabilities, aligned)
  }
}
