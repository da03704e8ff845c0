import Foundation
package import Kernels

/// The gate of a mixture: softmax of a small perceptron on x and on ln mean x², which grows with the noise.
package struct InverterGate: TrainedLayer {
  private static let width = 64
  private var first: DenseLayer
  private var second: DenseLayer

  /// Starts undecided. Randomness: `random` at items 100 and 101.
  package init(inputs: Int, experts: Int, random: CounterRandom) {
    first = DenseLayer(inputs: inputs + 1, outputs: Self.width, gain: 1, random: random, item: 100)
    second = DenseLayer(inputs: Self.width, outputs: experts, gain: 0, random: random, item: 101)
  }

  package struct Tape {
    var input: Matrix
    var hidden: Matrix
    var gates: Matrix
  }

  /// [N, E], rows of sum 1.
  package func forward(_ x: Matrix, _ compute: Compute) -> (gates: Matrix, tape: Tape) {
    var size = Matrix(rows: x.rows, columns: 1)
    var scaled = x
    for r in 0..<x.rows {
      var squares: Float = 0
      for value in x[row: r] { squares += value * value }
      let mean = squares / Float(x.columns) + 1e-6
      size.values[r] = 4 * log(mean)
      // Directions count for little against the size, and an outlier must not drown it.
      let scale = 0.1 / mean.squareRoot()
      for c in 0..<x.columns { scaled.values[r * x.columns + c] *= scale }
    }
    let input = compute.joined([scaled, size])
    let hidden = ReLULayer.forward(first.forward(input, compute))
    var gates = second.forward(hidden, compute)
    let normalisers = compute.logSumExp(gates)
    for r in 0..<gates.rows { for e in 0..<gates.columns { gates[r, e] = exp(gates[r, e] - normalisers[r]) } }
    return (gates, Tape(input: input, hidden: hidden, gates: gates))
  }

  package mutating func backward(_ dy: Matrix, _ tape: Tape, _ compute: Compute) {
    var d = dy
    for r in 0..<dy.rows {
      var along: Float = 0
      for e in 0..<dy.columns { along += dy[r, e] * tape.gates[r, e] }
      for e in 0..<dy.columns { d[r, e] = tape.gates[r, e] * (dy[r, e] - along) }
    }
    let hidden = ReLULayer.backward(second.backward(d, input: tape.hidden, compute), output: tape.hidden)
    _ = first.backward(hidden, input: tape.input, compute)
  }

  package mutating func visit(_ prefix: String, _ body: (String, inout TrainedTensor) throws -> Void) rethrows {
    try first.visit(prefix + ".first", body)
    try second.visit(prefix + ".second", body)
  }
}
