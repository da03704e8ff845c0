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
    var frozen: [Float] = []
    let (loss, dx) = self.loss(x, rows: rows, targets: rows.map { labels[$0 + 1] }, divisor: divisor ?? rows.count, normGradient: &frozen)
    return (loss, rows.count, dx)
  }

  /// Cross-entropy of any rows, each against a label of its own: where `loss(_:labels:batch:)` asks row t − 1 for label t, an aligned loss asks
  /// row t.
  /// - Parameters:
  ///   - x: [N, C].
  ///   - rows: the rows that are asked; the others get a zero gradient.
  ///   - targets: one label a row of `rows`.
  ///   - divisor: what the sum of negative log-likelihoods, in nats, is divided by.
  ///   - offsets: added to the logits of every row [V]; empty: nothing.
  ///   - normGradient: the gradient of the norm's weight [C] is added to it; empty: frozen.
  package func loss(
    _ x: Matrix, rows: [Int], targets: [Int32], divisor: Int, offsets: [Float] = [], normGradient: inout [Float]
  ) -> (loss: Double, dx: Matrix) {
    precondition(rows.count == targets.count, "\(targets.count) labels for \(rows.count) rows")
    let scale = 1 / Float(max(1, divisor))
    var total = 0.0
    var dx = Matrix(rows: x.rows, columns: x.columns)
    for start in stride(from: 0, to: rows.count, by: Self.rowsAtOnce) {
      let part = start..<min(start + Self.rowsAtOnce, rows.count)
      let states = compute.gather(x, rows: rows[part])
      var gradient = logits(states)
      if !offsets.isEmpty { compute.addBias(&gradient, offsets) }
      total += compute.crossEntropy(&gradient, labels: Array(targets[part]), scale: scale).reduce(0) { $0 + Double($1) }
      let dNormed = weight.applyTransposed(gradient, compute)
      var back = Matrix(rows: part.count, columns: x.columns)
      compute.rmsNormBackward(states, weight: norm, epsilon: epsilon, dy: dNormed, into: &back)
      if !normGradient.isEmpty { compute.rmsNormWeightBackward(states, epsilon: epsilon, dy: dNormed, into: &normGradient) }
      compute.scatter(back, into: &dx, rows: rows[part])
    }
    return (total * Double(scale), dx)
  }
}

extension PackedBatch {
  /// Rows whose next position in the same sequence has a label that counts.
  package func predictingRows(_ labels: [Int32]) -> [Int] {
    (0..<sequences).flatMap { s in range(s).dropLast().filter { labels[$0 + 1] != ignoredLabel } }
  }
}
