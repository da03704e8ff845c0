package import Kernels

/// A trained tensor of an inverter and the gradient that backward passes add to. A vector is a matrix of one row.
package struct TrainedTensor: Sendable, Equatable {
  package var value: Matrix
  package var gradient: Matrix

  package init(_ value: Matrix) {
    (self.value, gradient) = (value, Matrix(rows: value.rows, columns: value.columns))
  }

  /// [rows, columns] of N(0, deviation²). Randomness: `random` at items counted from `item` · 2³².
  package init(rows: Int, columns: Int, deviation: Double, random: CounterRandom, item: UInt64) {
    self.init(
      Matrix(
        rows: rows, columns: columns,
        values: (0..<rows).flatMap { r in random.normals(item: item << 32 | UInt64(r), count: columns).map { Float($0 * deviation) } }))
  }
}

/// A layer, or a network of them, whose tensors an optimizer, a file and a gradient check can walk through, always in the same order.
package protocol TrainedLayer: Sendable {
  /// Calls `body` with the name (`prefix` in front) and each tensor.
  mutating func visit(_ prefix: String, _ body: (String, inout TrainedTensor) throws -> Void) rethrows
}

extension Compute {
  /// sums ← sums + Σ_r x[r, ·]. x [B, C], sums [1, C].
  func addColumnSums(of x: Matrix, to sums: inout Matrix) {
    guard x.rows > 0 else { return }
    product(Matrix(rows: 1, columns: x.rows, values: [Float](repeating: 1, count: x.rows)), x, beta: 1, into: &sums)
  }
}
