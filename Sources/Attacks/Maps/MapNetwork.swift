import Foundation
import Kernels
import Llama

/// Features of maps → dense layer and ReLU → two GRUs, reading forwards and backwards → scores of the classes.
struct MapNetwork: TrainedLayer {
  private var entry: DenseLayer
  private var forwards: GRULayer
  private var backwards: GRULayer
  private var exit: DenseLayer

  init(inputs: Int, width: Int, classes: Int, seed: UInt64) {
    let random = CounterRandom(seed: seed, stream: "map-inverter/weights")
    entry = DenseLayer(inputs: inputs, outputs: width, gain: 2.0.squareRoot(), random: random, item: 0)
    forwards = GRULayer(inputs: width, width: width, reversed: false, random: random, item: 1)
    backwards = GRULayer(inputs: width, width: width, reversed: true, random: random, item: 3)
    exit = DenseLayer(inputs: 2 * width, outputs: classes, gain: 0, random: random, item: 5)
  }

  mutating func visit(_ prefix: String, _ body: (String, inout TrainedTensor) throws -> Void) rethrows {
    try entry.visit(prefix + "entry", body)
    try forwards.visit(prefix + "forwards", body)
    try backwards.visit(prefix + "backwards", body)
    try exit.visit(prefix + "exit", body)
  }

  /// The class scores' bias starts as the classes' log-frequency, so that training begins at the unigram law.
  mutating func start(at logFrequencies: [Float]) { exit.bias.value.values = logFrequencies }

  /// [N, classes].
  func scores(_ x: Matrix, _ batch: PackedBatch, _ compute: Compute) -> Matrix {
    let hidden = ReLULayer.forward(entry.forward(x, compute))
    let both = [forwards.forward(hidden, batch, compute).output, backwards.forward(hidden, batch, compute).output]
    return exit.forward(compute.joined(both), compute)
  }

  /// Adds the gradients of the mean cross-entropy of the rows that count; returns it, nats a row.
  /// - Parameter labels: a class a row, or −1 for a row that does not count.
  mutating func learn(_ x: Matrix, _ batch: PackedBatch, labels: [Int32], _ compute: Compute) -> Double {
    let hidden = ReLULayer.forward(entry.forward(x, compute))
    let (left, leftTape) = forwards.forward(hidden, batch, compute)
    let (right, rightTape) = backwards.forward(hidden, batch, compute)
    let states = compute.joined([left, right])
    let rows = labels.indices.filter { labels[$0] >= 0 }
    let used = compute.gather(states, rows: rows[...])
    var scores = exit.forward(used, compute)
    let loss = compute.crossEntropy(&scores, labels: rows.map { labels[$0] }, scale: 1 / Float(max(1, rows.count)))
    var dStates = Matrix(rows: states.rows, columns: states.columns)
    compute.scatter(exit.backward(scores, input: used, compute), into: &dStates, rows: rows[...])
    let parts = compute.split(dStates, widths: [left.columns, right.columns])
    var dHidden = forwards.backward(parts[0], leftTape, compute)
    compute.add(&dHidden, backwards.backward(parts[1], rightTape, compute))
    _ = entry.backward(ReLULayer.backward(dHidden, output: hidden), input: x, compute)
    return loss.reduce(0.0) { $0 + Double($1) } / Double(max(1, rows.count))
  }
}
