package import Kernels

/// y = (x − mean) / √(variance + ε) · w + b, row by row (Ba et al. 2016). x [B, C], w and b [C].
package struct LayerNormLayer: TrainedLayer {
  package var weight: TrainedTensor
  package var bias: TrainedTensor
  private static let epsilon: Float = 1e-5

  /// w of ones, b of zeros.
  package init(width: Int) {
    weight = TrainedTensor(Matrix(rows: 1, columns: width, values: [Float](repeating: 1, count: width)))
    bias = TrainedTensor(Matrix(rows: 1, columns: width))
  }

  /// What backward needs: the rows before w and b, and 1/√(variance + ε) of each.
  package struct Tape: Sendable {
    var normed: Matrix
    var inverse: [Float]
  }

  package func forward(_ x: Matrix) -> (output: Matrix, tape: Tape) {
    let c = x.columns
    var (normed, output) = (x, x)
    var inverse = [Float](repeating: 0, count: x.rows)
    for r in 0..<x.rows {
      var (sum, squares): (Float, Float) = (0, 0)
      for value in x[row: r] { sum += value }
      let mean = sum / Float(c)
      for value in x[row: r] { squares += (value - mean) * (value - mean) }
      inverse[r] = 1 / (squares / Float(c) + Self.epsilon).squareRoot()
      for i in 0..<c {
        let value = (x.values[r * c + i] - mean) * inverse[r]
        normed.values[r * c + i] = value
        output.values[r * c + i] = value * weight.value.values[i] + bias.value.values[i]
      }
    }
    return (output, Tape(normed: normed, inverse: inverse))
  }

  /// dx = (g − mean(g) − n · mean(g ⊙ n)) / √(variance + ε) with g = dy ⊙ w and n the normed row. Adds the gradients of w and b.
  package mutating func backward(_ dy: Matrix, _ tape: Tape) -> Matrix {
    let c = dy.columns
    var dx = dy
    for r in 0..<dy.rows {
      var (mean, along): (Float, Float) = (0, 0)
      for i in 0..<c {
        let (d, n) = (dy.values[r * c + i], tape.normed.values[r * c + i])
        weight.gradient.values[i] += d * n
        bias.gradient.values[i] += d
        let g = d * weight.value.values[i]
        mean += g
        along += g * n
      }
      (mean, along) = (mean / Float(c), along / Float(c))
      for i in 0..<c {
        let g = dy.values[r * c + i] * weight.value.values[i]
        dx.values[r * c + i] = (g - mean - tape.normed.values[r * c + i] * along) * tape.inverse[r]
      }
    }
    return dx
  }

  package mutating func visit(_ prefix: String, _ body: (String, inout TrainedTensor) throws -> Void) rethrows {
    try body(prefix + ".weight", &weight)
    try body(prefix + ".bias", &bias)
  }
}
