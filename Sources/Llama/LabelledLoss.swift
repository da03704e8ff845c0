package import Kernels

/// A label for no position: it does not count, as in PyTorch.
package let ignoredLabel: Int32 = -100

extension OutputHead {
  /// Rows that go through the head at a time: logits of 49,152 tokens are 200 KB a row.
  private static let rowsAtOnce = 128

  /// Next-token loss over packed sequences and its gradient with respect to the states after the last block.
  /// - Parameters:
  ///   - x: [N, C].
  ///   - labels: [N]; labels[t] is predicted from row t − 1 of the same sequence; `ignoredLabel` does not count, nor does a first position.
  ///   - divisor: what the sum is divided by; by default the number of labels that count.
  /// - Returns: the sum of negative log-likelihoods in nats over `divisor`, how many labels counted, and dLoss/dx [N, C].
  package func loss(_ x: Matrix, labels: [Int32], batch: PackedBatch, divisor: Int? = nil) -> (loss: Double, counted: Int, dx: Matrix) {
    precondition(labels.count == x.rows, "\(labels.count) labels for \(x.rows) rows")
    let rows = batch.predictingRows(labels)
    let scale = 1 / Float(max(1, divisor ?? rows.count))
    var total = 0.0
    var dx = Matrix(rows: x.rows, columns: x.columns)
    for start in stride(from: 0, to: rows.count, by: Self.rowsAtOnce) {
      let part = rows[start..<min(start + Self.rowsAtOnce, rows.count)]
      let states = compute.gather(x, rows: part)
      var gradient = logits(states)
      total += compute.crossEntropy(&gradient, labels: part.map { labels[$0 + 1] }, scale: scale).reduce(0) { $0 + Double($1) }
      var back = Matrix(rows: part.count, columns: x.columns)
      compute.rmsNormBackward(states, weight: norm, epsilon: epsilon, dy: weight.applyTransposed(gradient, compute), into: &back)
      compute.scatter(back, into: &dx, rows: part)
    }
    return (total * Double(scale), rows.count, dx)
  }
}

extension PackedBatch {
  /// Rows whose next position in the same sequence has a label that counts.
  package func predictingRows(_ labels: [Int32]) -> [Int] {
    (0..<sequences).flatMap { s in range(s).dropLast().filter { labels[$0 + 1] != ignoredLabel } }
  }
}
