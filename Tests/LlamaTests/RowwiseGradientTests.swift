import Checkpoints
import Kernels
import Llama
import TestSupport
import Testing

/// The backward pass row by row against the whole one, and Jacobians at one position against finite differences.
@Suite struct RowwiseGradientTests {
  private struct Scene {
    let model: LlamaModel
    let states: Matrix
    let batch: PackedBatch

    init(_ name: String, rows: Int = 9) throws {
      model = try LlamaModel(Checkpoint.open(at: Fixture.path("llama/\(name)")), compute: Compute(threads: 1))
      var random = SplitMix(state: 3)
      let width = model.configuration.hiddenSize
      states = Matrix(rows: rows, columns: width, values: (0..<rows * width).map { _ in Float(random.gaussian()) })
      batch = PackedBatch(lengths: [rows])
    }

    func stack(_ q: Int) -> BlockStack { model.stack[model.configuration.blocks - q..<model.configuration.blocks] }
  }

  private func relative(_ a: [Float], _ b: [Float]) -> Double {
    largestDifference(a, b) / max(rootMeanSquare(b), 1e-12)
  }

  /// Rows committed from the last to the first give ∂L/∂x of `TrainableStack.backward`, whatever the output's gradient is.
  @Test(arguments: ["tiny-gqa", "tiny-untied", "tiny-qwen2", "tiny-mistral"], [0, 1, 2]) func rowsAddUp(name: String, q: Int) throws {
    let scene = try Scene(name)
    var random = SplitMix(state: 8)
    let dy = Matrix(
      rows: scene.states.rows, columns: scene.states.columns, values: scene.states.values.map { _ in Float(random.gaussian()) })
    let stack = TrainableStack(running: scene.stack(q))
    let (output, tape) = stack.forward(scene.states, scene.batch)
    var none = stack.zeroGradients
    let whole = stack.backward(dy, tape, gradients: &none)
    var pass = RowwiseGradient(scene.stack(q), scene.states)
    #expect(largestDifference(pass.output.values, output.values) < 1e-5)
    for t in (0..<scene.states.rows).reversed() {
      let inherited = pass.inherited(row: t)
      let own = pass.transposed(dy.slice(t..<t + 1), row: t)
      let all = pass.commit(dy.slice(t..<t + 1), row: t)
      #expect(relative(all.values, Array(whole[row: t])) < 1e-4, "row \(t)")
      #expect(relative(zip(inherited.values, own.values).map { $0 + $1 }, all.values) < 1e-4, "row \(t) in parts")
    }
  }

  /// J_tt of norm(h_t): the slope of one row's output along every direction of its own input.
  @Test(arguments: ["tiny-gqa", "tiny-qwen2"], [0, 1, 2]) func localJacobianIsTheSlope(name: String, q: Int) throws {
    let scene = try Scene(name)
    let (stack, head) = (TrainableStack(running: scene.stack(q)), scene.model.head)
    func normed(_ x: Matrix, row: Int) -> [Float] {
      let y = stack.forward(x, scene.batch).output
      return Array(scene.model.compute.rmsNorm(y, weight: head.norm, epsilon: head.epsilon)[row: row])
    }
    let pass = RowwiseGradient(scene.stack(q), scene.states)
    for row in [0, 4, scene.states.rows - 1] {
      let width = scene.states.columns
      let unit = Matrix(rows: width, columns: width, values: (0..<width * width).map { $0 / width == $0 % width ? 1 : 0 })
      let jacobian = pass.throughJacobian(unit, row: row, head)
      let ahead = pass.alongJacobian(unit, row: row, head)
      let transposed = (0..<width * width).map { ahead[$0 % width, $0 / width] }
      #expect(relative(transposed, jacobian.values) < 1e-4, "forward and reverse mode at row \(row)")
      let h: Float = 1e-2
      for direction in [0, 7, 31] {
        var (above, below) = (scene.states, scene.states)
        above[row, direction] += h
        below[row, direction] -= h
        let slope = zip(normed(above, row: row), normed(below, row: row)).map { ($0 - $1) / (2 * h) }
        let column = (0..<jacobian.rows).map { jacobian[$0, direction] }
        #expect(relative(column, slope) < 1e-2, "row \(row), direction \(direction)")
      }
    }
  }

  /// Adapters that blocks carry count: merged into the matrices, the blocks compute the same.
  @Test func mergedAdaptersComputeTheSame() throws {
    let scene = try Scene("tiny-gqa")
    let settings = AdapterSettings(targets: AdapterTarget.allCases, rank: 2, alpha: 4)
    var trained = TrainableStack(scene.stack(2), settings, seed: 5)
    var random = SplitMix(state: 2)
    for i in trained.adapters.indices {
      for name in trained.adapters[i].names {
        for k in trained.adapters[i][name].indices { trained.adapters[i][name][k] = 0.1 * Float(random.gaussian()) }
      }
    }
    let carried = trained.adapted
    let expected = TrainableStack(running: carried).forward(scene.states, scene.batch).output
    #expect(largestDifference(expected.values, RowwiseGradient(scene.stack(2), scene.states).output.values) > 1e-2)
    #expect(largestDifference(expected.values, RowwiseGradient(carried, scene.states).output.values) < 1e-4)
  }
}
