import Audit
import Checkpoints
import Kernels
import Llama

/// The head's matrix as a codebook of labels, and a few random mixtures of its rows: directions in which labels differ most.
struct LabelTable: Sendable {
  /// W [V, C].
  let weights: Matrix
  /// Rows of unit variance mixtures of w_v − mean, [directions, C].
  let directions: Matrix

  private static let count = 48
  private static let sample = 2048

  /// Made once a run. Randomness: the mixtures, from the attacker's training seed.
  static func of(_ means: AttackerMeans) -> LabelTable {
    means.memory.table("head's matrix") {
      let (head, compute) = (means.model.head, means.model.compute)
      let weights = Matrix(rows: head.weight.rows, columns: head.weight.columns, values: head.weight.values(compute))
      let random = CounterRandom(seed: means.trainingSeed, stream: "label directions")
      let step = max(1, weights.rows / sample)
      let rows = Array(stride(from: 0, to: weights.rows, by: step))
      var some = compute.gather(weights, rows: rows[...])
      compute.addBias(&some, columnMeans(some).map { -$0 })
      let mixture = Matrix(
        rows: count, columns: rows.count,
        values: (0..<count).flatMap { random.normals(item: UInt64($0), count: rows.count).map(Float.init) })
      return LabelTable(weights: weights, directions: compute.product(mixture, some))
    }
  }
}
