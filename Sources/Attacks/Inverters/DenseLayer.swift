package import Kernels

/// y = x Wᵀ + b. x [B, I], W [O, I], b [O].
package struct DenseLayer: TrainedLayer {
  package var weight: TrainedTensor
  package var bias: TrainedTensor

  /// W of N(0, gain²/I), b zero; gain √2 before a ReLU (He et al. 2015), 0 for a layer that starts as nothing. Randomness: `random` at `item`.
  package init(inputs: Int, outputs: Int, gain: Double, random: CounterRandom, item: UInt64) {
    weight = TrainedTensor(
      rows: outputs, columns: inputs, deviation: gain / Double(inputs).squareRoot(), random: random, item: item)
    bias = TrainedTensor(Matrix(rows: 1, columns: outputs))
  }

  /// The layer with this W and no b.
  package init(weight: Matrix) {
    self.weight = TrainedTensor(weight)
    bias = TrainedTensor(Matrix(rows: 1, columns: weight.rows))
  }

  package func forward(_ x: Matrix, _ compute: Compute) -> Matrix {
    guard x.rows > 0 else { return Matrix(rows: 0, columns: weight.value.rows) }
    var y = compute.linear(x, weight.value.values, outputs: weight.value.rows)
    compute.addBias(&y, bias.value.values)
    return y
  }

  /// Adds the gradients of W and b; returns that of the input x [B, I], given that of the output [B, O].
  package mutating func backward(_ dy: Matrix, input x: Matrix, _ compute: Compute) -> Matrix {
    compute.product(dy, x, transposeA: true, beta: 1, into: &weight.gradient)
    compute.addColumnSums(of: dy, to: &bias.gradient)
    return compute.product(dy, weight.value)
  }

  package mutating func visit(_ prefix: String, _ body: (String, inout TrainedTensor) throws -> Void) rethrows {
    try body(prefix + ".weight", &weight)
    try body(prefix + ".bias", &bias)
  }
}
