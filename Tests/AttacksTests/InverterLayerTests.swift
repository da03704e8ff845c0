import Attacks
import Foundation
import Kernels
import Llama
import TestSupport
import Testing

/// Layers of the inverters against Float64 twins and against finite differences.
@Suite struct InverterLayerTests {
  private static let compute = Compute(threads: 1)
  private static let batch = PackedBatch(lengths: [5, 1, 3])
  private static let random = CounterRandom(seed: 7, stream: "layers")

  private static func matrix(_ rows: Int, _ columns: Int, _ item: UInt64, deviation: Double = 1) -> Matrix {
    TrainedTensor(rows: rows, columns: columns, deviation: deviation, random: random, item: 1000 + item).value
  }

  /// Σ w ⊙ f(x), in double precision.
  private static func dot(_ a: Matrix, _ b: Matrix) -> Double { zip(a.values, b.values).reduce(0) { $0 + Double($1.0) * Double($1.1) } }

  /// Along random directions of every tensor, and of the input, the derivative of Σ w ⊙ f(x) is what backward says.
  private static func check<L: TrainedLayer>(
    _ layer: L, input x: Matrix, weights w: Matrix, isInputGradientKept: Bool = true, forward: (L, Matrix) -> Matrix,
    backward: (inout L, Matrix) -> Matrix?
  ) {
    var layer = layer
    // Layers that start as zero would hide their inputs' gradients.
    var item: UInt64 = 0
    layer.visit("") { _, tensor in
      item += 1
      let noise = matrix(tensor.value.rows, tensor.value.columns, 500 + item, deviation: 0.2)
      for i in tensor.value.values.indices { tensor.value.values[i] += noise.values[i] }
    }
    var trained = layer
    let dx = backward(&trained, w)
    let step: Float = 1 / 256
    func difference(_ moved: (Float) -> (L, Matrix)) -> Double {
      let (up, down) = (moved(step), moved(-step))
      return (dot(forward(up.0, up.1), w) - dot(forward(down.0, down.1), w)) / (2 * Double(step))
    }
    func same(_ found: Double, _ expected: Double, _ name: String) {
      #expect(abs(found - expected) < 0.02 * abs(expected) + 0.02, "\(name): backward \(found), difference \(expected)")
    }
    var names: [(String, Matrix)] = []
    trained.visit("") { name, tensor in names.append((name, tensor.gradient)) }
    for (k, (name, gradient)) in names.enumerated() {
      let direction = matrix(gradient.rows, gradient.columns, 700 + UInt64(k), deviation: 0.3)
      let expected = difference { amount in
        var other = layer
        other.visit("") { own, tensor in
          guard own == name else { return }
          for i in tensor.value.values.indices { tensor.value.values[i] += amount * direction.values[i] }
        }
        return (other, x)
      }
      same(dot(gradient, direction), expected, name)
    }
    guard let dx else { return }
    let direction = matrix(x.rows, x.columns, 900, deviation: 0.3)
    let expected = difference { amount in
      (layer, Matrix(rows: x.rows, columns: x.columns, values: zip(x.values, direction.values).map { $0 + amount * $1 }))
    }
    same(dot(dx, direction), expected, "input")
  }

  @Test func denseGradients() {
    let x = Self.matrix(9, 6, 1)
    Self.check(
      DenseLayer(inputs: 6, outputs: 4, gain: 1, random: Self.random, item: 0), input: x, weights: Self.matrix(9, 4, 2),
      forward: { $0.forward($1, Self.compute) }, backward: { $0.backward($1, input: x, Self.compute) })
  }

  @Test func layerNormGradients() {
    let x = Self.matrix(9, 6, 3, deviation: 3)
    Self.check(
      LayerNormLayer(width: 6), input: x, weights: Self.matrix(9, 6, 4), forward: { $0.forward($1).output },
      backward: { $0.backward($1, $0.forward(x).tape) })
  }

  @Test(arguments: [false, true]) func gruGradients(reversed: Bool) {
    let x = Self.matrix(9, 6, 5)
    Self.check(
      GRULayer(inputs: 6, width: 4, reversed: reversed, random: Self.random, item: 0), input: x, weights: Self.matrix(9, 4, 6),
      forward: { $0.forward($1, Self.batch, Self.compute).output },
      backward: { $0.backward($1, $0.forward(x, Self.batch, Self.compute).tape, Self.compute) })
  }

  @Test func bodyGradients() {
    let x = Self.matrix(9, 6, 7)
    let bodies: [InverterBody] = [
      .perceptron(PerceptronBody(inputs: 6, widths: [8, 5], random: Self.random)),
      .recurrent(RecurrentBody(inputs: 6, width: 4, random: Self.random)),
    ]
    for body in bodies {
      Self.check(
        body, input: x, weights: Self.matrix(9, 6, 8), forward: { $0.forward($1, Self.batch, Self.compute).output },
        backward: { layer, dy in
          layer.backward(dy, layer.forward(x, Self.batch, Self.compute).tape, Self.compute)
          return nil
        })
    }
  }

  @Test func gateGradients() {
    let x = Self.matrix(9, 6, 9)
    Self.check(
      InverterGate(inputs: 6, experts: 3, random: Self.random), input: x, weights: Self.matrix(9, 3, 10),
      forward: { $0.forward($1, Self.compute).gates },
      backward: { layer, dy in
        layer.backward(dy, layer.forward(x, Self.compute).tape, Self.compute)
        return nil
      })
  }

  @Test func reluAndItsGradient() {
    let x = Matrix(rows: 1, columns: 4, values: [-1, 2, 0, 3])
    let y = ReLULayer.forward(x)
    #expect(y.values == [0, 2, 0, 3])
    #expect(ReLULayer.backward(Matrix(rows: 1, columns: 4, values: [5, 6, 7, 8]), output: y).values == [0, 6, 0, 8])
  }

  /// A packed batch gives each sequence what it gives alone, and both what the formula gives in double precision.
  @Test(arguments: [false, true]) func gruMatchesItsFormula(reversed: Bool) {
    let layer = GRULayer(inputs: 6, width: 4, reversed: reversed, random: Self.random, item: 20)
    let x = Self.matrix(9, 6, 11)
    let found = layer.forward(x, Self.batch, Self.compute).output
    func row(_ dense: DenseLayer, _ v: [Double]) -> [Double] {
      (0..<dense.weight.value.rows).map { o in
        zip(dense.weight.value[row: o], v).reduce(Double(dense.bias.value.values[o])) { $0 + Double($1.0) * $1.1 }
      }
    }
    func sigmoid(_ v: Double) -> Double { 1 / (1 + exp(-v)) }
    for s in 0..<Self.batch.sequences {
      var h = [Double](repeating: 0, count: 4)
      let rows = Array(Self.batch.range(s))
      for r in reversed ? rows.reversed() : rows {
        let (a, g) = (row(layer.input, x[row: r].map(Double.init)), row(layer.hidden, h))
        h = (0..<4).map { i in
          let (reset, update) = (sigmoid(a[i] + g[i]), sigmoid(a[i + 4] + g[i + 4]))
          return (1 - update) * tanh(a[i + 8] + reset * g[i + 8]) + update * h[i]
        }
        #expect(zip(found[row: r], h).allSatisfy { abs(Double($0) - $1) < 1e-5 }, "row \(r)")
      }
    }
  }
}
