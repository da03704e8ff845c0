import Foundation
package import Kernels
package import Llama

/// A gated recurrent unit (Cho et al. 2014, in the form of torch.nn.GRU) over packed sequences, all sequences in step:
///
///     r = σ(W_ir x + b_ir + W_hr h + b_hr)      z = σ(W_iz x + b_iz + W_hz h + b_hz)
///     n = tanh(W_in x + b_in + r ⊙ (W_hn h + b_hn))      h ← (1 − z) ⊙ n + z ⊙ h
///
/// The rows of `input` and `hidden` are those of r, z, n, one under the other: [3H, I] and [3H, H].
package struct GRULayer: TrainedLayer {
  package var input: DenseLayer
  package var hidden: DenseLayer
  /// Reads every sequence from its end.
  package let reversed: Bool
  private let width: Int

  /// Weights of N(0, 1/I) and N(0, 1/H). Randomness: `random` at `item` and `item` + 1.
  package init(inputs: Int, width: Int, reversed: Bool, random: CounterRandom, item: UInt64) {
    input = DenseLayer(inputs: inputs, outputs: 3 * width, gain: 1, random: random, item: item)
    hidden = DenseLayer(inputs: width, outputs: 3 * width, gain: 1, random: random, item: item + 1)
    (self.width, self.reversed) = (width, reversed)
  }

  /// What one step leaves for backward: its rows in the batch, [k, H] each for the k sequences that reach it.
  struct Step: Sendable {
    var rows: [Int]
    var before: Matrix, reset: Matrix, update: Matrix, candidate: Matrix
    /// W_hn h + b_hn.
    var recalled: Matrix
  }

  package struct Tape: Sendable {
    var x: Matrix
    var steps: [Step] = []
  }

  /// States after each position, [N, H]. x [N, I]; every sequence starts from zeros.
  package func forward(_ x: Matrix, _ batch: PackedBatch, _ compute: Compute) -> (output: Matrix, tape: Tape) {
    precondition(x.rows == batch.rows, "\(x.rows) rows for a batch of \(batch.rows)")
    let fromInput = input.forward(x, compute)
    var tape = Tape(x: x)
    var output = Matrix(rows: x.rows, columns: width)
    var state = Matrix(rows: batch.sequences, columns: width)
    for rows in order(batch) {
      let before = state.rows == rows.count ? state : state.slice(0..<rows.count)
      let (a, g) = (compute.gather(fromInput, rows: rows[...]), hidden.forward(before, compute))
      var step = Step(rows: rows, before: before, reset: before, update: before, candidate: before, recalled: before)
      state = before
      for k in rows.indices {
        for i in 0..<width {
          let (gate, at) = (k * 3 * width + i, k * width + i)
          let r = sigmoid(a.values[gate] + g.values[gate])
          let z = sigmoid(a.values[gate + width] + g.values[gate + width])
          let recalled = g.values[gate + 2 * width]
          let n = tanh(a.values[gate + 2 * width] + r * recalled)
          (step.reset.values[at], step.update.values[at]) = (r, z)
          (step.candidate.values[at], step.recalled.values[at]) = (n, recalled)
          state.values[at] = (1 - z) * n + z * before.values[at]
        }
      }
      compute.scatter(state, into: &output, rows: rows[...])
      tape.steps.append(step)
    }
    return (output, tape)
  }

  /// Backpropagation through time. Adds the gradients of the weights; returns that of x [N, I], given that of the output [N, H].
  package mutating func backward(_ dy: Matrix, _ tape: Tape, _ compute: Compute) -> Matrix {
    var fromInput = Matrix(rows: tape.x.rows, columns: 3 * width)
    var carried = Matrix(rows: 0, columns: width)
    for step in tape.steps.reversed() {
      var dh = compute.gather(dy, rows: step.rows[...])
      for i in carried.values.indices { dh.values[i] += carried.values[i] }
      var a = Matrix(rows: step.rows.count, columns: 3 * width)
      var g = a
      var before = dh
      for k in step.rows.indices {
        for i in 0..<width {
          let (gate, at) = (k * 3 * width + i, k * width + i)
          let (r, z, n) = (step.reset.values[at], step.update.values[at], step.candidate.values[at])
          let d = dh.values[at]
          let dn = d * (1 - z) * (1 - n * n)
          let dr = dn * step.recalled.values[at] * r * (1 - r)
          let dz = d * (step.before.values[at] - n) * z * (1 - z)
          (a.values[gate], a.values[gate + width], a.values[gate + 2 * width]) = (dr, dz, dn)
          (g.values[gate], g.values[gate + width], g.values[gate + 2 * width]) = (dr, dz, dn * r)
          before.values[at] = d * z
        }
      }
      compute.scatter(a, into: &fromInput, rows: step.rows[...])
      compute.add(&before, hidden.backward(g, input: step.before, compute))
      carried = before
    }
    return input.backward(fromInput, input: tape.x, compute)
  }

  package mutating func visit(_ prefix: String, _ body: (String, inout TrainedTensor) throws -> Void) rethrows {
    try input.visit(prefix + ".input", body)
    try hidden.visit(prefix + ".hidden", body)
  }

  /// Rows of each step: sequence by falling length, so that those that still run are always the first ones.
  private func order(_ batch: PackedBatch) -> [[Int]] {
    let sequences = (0..<batch.sequences).sorted { a, b in
      let (x, y) = (batch.range(a).count, batch.range(b).count)
      return x == y ? a < b : x > y
    }
    let longest = sequences.first.map { batch.range($0).count } ?? 0
    return (0..<longest).map { t in
      sequences.prefix { batch.range($0).count > t }.map {
        reversed ? batch.range($0).upperBound - 1 - t : batch.range($0).lowerBound + t
      }
    }
  }
}

private func sigmoid(_ x: Float) -> Float { 1 / (1 + exp(-x)) }
