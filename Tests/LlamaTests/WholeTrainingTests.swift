import Checkpoints
import Foundation
import Kernels
import Llama
import TestSupport
import Testing

/// Dropout of adapters, and full fine-tuning, against finite differences.
@Suite(.serialized) struct WholeTrainingTests {
  private let batch = PackedBatch(lengths: [6, 4])
  private let sequences: [UInt64] = [3, 8]

  private func model() throws -> LlamaModel { try LlamaModel(Checkpoint.open(at: Fixture.path("llama/tiny-gqa"))) }

  private func tokens(_ model: LlamaModel) -> [Int32] {
    var random = SplitMix(state: 12)
    return (0..<batch.rows).map { _ in Int32(random.below(model.configuration.vocabularySize)) }
  }

  private func loss(_ model: LlamaModel, _ trainable: TrainableStack) -> (Double, [BlockAdapters]) {
    let tokens = tokens(model)
    let (states, tape) = trainable.forward(model.embedding.gather(tokens), batch, sequences: sequences)
    let (loss, _, dx) = model.head.loss(states, labels: tokens, batch: batch)
    var gradients = trainable.zeroGradients
    _ = trainable.backward(dx, tape, gradients: &gradients)
    return (loss, gradients)
  }

  /// The slope along a random direction of every trained tensor for itself, and the gradient's component along it.
  private func checkSlopes(_ model: LlamaModel, _ trainable: TrainableStack, step h: Float) throws {
    let gradients = loss(model, trainable).1
    var random = SplitMix(state: 77)
    for block in trainable.adapters.indices {
      for name in trainable.adapters[block].names {
        let start = trainable.adapters[block][name]
        let scale = (start.reduce(0) { $0 + $1 * $1 } / Float(start.count)).squareRoot() + 0.01
        let direction = start.map { _ in Float(random.gaussian()) * scale }
        func moved(_ distance: Float) -> Double {
          var other = trainable
          other.adapters[block][name] = zip(start, direction).map { $0 + distance * $1 }
          other.refresh()
          return loss(model, other).0
        }
        let slope = (moved(h) - moved(-h)) / Double(2 * h)
        let pairs = zip(direction, gradients[block][name])
        let component = pairs.reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        let size = (direction.reduce(0) { $0 + Double($1 * $1) } * gradients[block].squares(of: name)).squareRoot()
        #expect(abs(slope - component) < 0.02 * size / Double(start.count).squareRoot() * 3 + 1e-3, "block \(block) \(name.text)")
        #expect(size > 0, "block \(block) \(name.text) has no gradient")
      }
    }
  }

  @Test func wholeBlocksAgreeWithFiniteDifferences() throws {
    let model = try model()
    try checkSlopes(model, TrainableStack(whole: model.stack, precision: .f32), step: 2e-3)
  }

  /// Without a mask, too; and there the first position knows of the last.
  @Test func blocksWithoutAMaskAgreeWithFiniteDifferences() throws {
    let model = try model()
    var trainable = TrainableStack(whole: model.stack, precision: .f32)
    trainable.isCausal = false
    try checkSlopes(model, trainable, step: 2e-3)
    var other = tokens(model)
    other[5] = (other[5] + 1) % Int32(model.configuration.vocabularySize)
    func first(_ tokens: [Int32]) -> [Float] { Array(trainable.forward(model.embedding.gather(tokens), batch).output[row: 0]) }
    #expect(largestDifference(first(tokens(model)), first(other)) > 1e-4)
    trainable.isCausal = true
    #expect(first(tokens(model)) == first(other))
  }

  /// The loss of any rows: its gradients of the states and of the norm, offsets included; and with the next tokens as targets it is the
  /// next-token loss.
  @Test func lossOfChosenRowsAgreesWithFiniteDifferences() throws {
    let model = try model()
    let tokens = tokens(model)
    let x = TrainableStack(whole: model.stack, precision: .f32).forward(model.embedding.gather(tokens), batch).output
    let rows = batch.predictingRows(tokens)
    var frozen: [Float] = []
    let shifted = model.head.loss(x, rows: rows, targets: rows.map { tokens[$0 + 1] }, divisor: rows.count, normGradient: &frozen)
    let known = model.head.loss(x, labels: tokens, batch: batch)
    #expect(shifted.loss == known.loss && shifted.dx == known.dx && frozen.isEmpty)

    var random = SplitMix(state: 9)
    let offsets = (0..<model.configuration.vocabularySize).map { _ in Float(random.gaussian()) }
    let asked = Array(1..<batch.rows)
    func loss(_ x: Matrix, _ norm: [Float]) -> (value: Double, dx: Matrix, norm: [Float]) {
      var gradient = [Float](repeating: 0, count: norm.count)
      let (value, dx) = model.head.with(norm: norm).loss(
        x, rows: asked, targets: asked.map { tokens[$0] }, divisor: asked.count, offsets: offsets, normGradient: &gradient)
      return (value, dx, gradient)
    }
    let norm = model.head.norm
    let found = loss(x, norm)
    #expect(found.dx[row: 0].allSatisfy { $0 == 0 })
    let (dx, dn) = (x.values.map { _ in Float(random.gaussian()) }, norm.map { _ in Float(random.gaussian()) })
    func moved(_ h: Float, state: Bool) -> Double {
      state
        ? loss(Matrix(rows: x.rows, columns: x.columns, values: zip(x.values, dx).map { $0 + h * $1 }), norm).value
        : loss(x, zip(norm, dn).map { $0 + h * $1 }).value
    }
    let h: Float = 2e-3
    for (state, component) in [
      (true, zip(found.dx.values, dx).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }),
      (false, zip(found.norm, dn).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }),
    ] {
      let slope = (moved(h, state: state) - moved(-h, state: state)) / Double(2 * h)
      #expect(abs(slope - component) < 1e-2 * abs(component) + 1e-3, "slope \(slope), gradient \(component)")
    }
  }

  @Test func droppedAdaptersAgreeWithFiniteDifferences() throws {
    let model = try model()
    let settings = AdapterSettings(targets: AdapterTarget.allCases, rank: 4, alpha: 8, dropout: 0.3)
    var trainable = TrainableStack(model.stack, settings, seed: 5)
    var random = SplitMix(state: 6)
    for block in trainable.adapters.indices {
      for name in trainable.adapters[block].names {
        trainable.adapters[block][name] = trainable.adapters[block][name].map { _ in Float(random.gaussian()) * 0.1 }
      }
    }
    try checkSlopes(model, trainable, step: 5e-3)
    // Without names of sequences nothing is dropped; with others the mask is another.
    let x = model.embedding.gather(tokens(model))
    let plain = trainable.forward(x, batch).output
    #expect(largestDifference(plain.values, trainable.forward(x, batch, sequences: sequences).output.values) > 1e-4)
    #expect(trainable.forward(x, batch, sequences: [3, 9]).output != trainable.forward(x, batch, sequences: sequences).output)
    // A text's mask does not depend on what it is batched with.
    let alone = trainable.forward(x.slice(6..<10), PackedBatch(lengths: [4]), sequences: [8]).output
    #expect(largestDifference(alone.values, trainable.forward(x, batch, sequences: sequences).output.slice(6..<10).values) < 1e-4)
  }

  @Test func wholeStackIsTheModelItself() throws {
    let model = try model()
    let whole = TrainableStack(whole: model.stack, precision: .f32)
    let adapters = TrainableStack(model.stack, AdapterSettings(targets: []), seed: 1)
    let x = model.embedding.gather(tokens(model))
    #expect(whole.forward(x, batch).output == adapters.forward(x, batch).output)
  }

  /// Inference with a KV cache, adapters in the blocks, gives what the training pass gives.
  @Test func adaptedBlocksDecodeAsTrained() throws {
    let model = try model()
    var trainable = TrainableStack(model.stack, AdapterSettings(targets: AdapterTarget.allCases, rank: 4, alpha: 8), seed: 5)
    var random = SplitMix(state: 6)
    for block in trainable.adapters.indices {
      for name in trainable.adapters[block].names {
        trainable.adapters[block][name] = trainable.adapters[block][name].map { _ in Float(random.gaussian()) * 0.1 }
      }
    }
    let x = model.embedding.gather(tokens(model))
    let expected = trainable.forward(x, batch).output
    let stack = trainable.adapted
    var caches = [stack.emptyCache()]
    for row in 0..<6 {
      let y = stack.forward(x.slice(row..<row + 1), PackedBatch(lengths: [1], pasts: [row]), caches: &caches)
      #expect(largestDifference(y.values, Array(expected[row: row])) < 2e-4, "row \(row)")
    }
  }

  @Test func dropoutKeepsTheMeanAndItsRate() {
    let compute = Compute()
    let x = Matrix(rows: 64, columns: 1000, values: [Float](repeating: 1, count: 64_000))
    let rows = (0..<64).map { UInt64($0) }
    let y = compute.dropout(x, rate: 0.25, rows: rows, key: 42)
    let dropped = y.values.count { $0 == 0 }
    #expect(abs(Double(dropped) / 64_000 - 0.25) < 5 * (0.25 * 0.75 / 64_000).squareRoot())
    #expect(y.values.allSatisfy { $0 == 0 || abs($0 - 4 / 3) < 1e-6 })
    // Neighbouring rows and columns are as independent as any.
    let pairs = (0..<63).flatMap { r in (0..<999).map { c in (y[r, c] == 0 && y[r + 1, c] == 0, y[r, c] == 0 && y[r, c + 1] == 0) } }
    for share in [pairs.count { $0.0 }, pairs.count { $0.1 }].map({ Double($0) / Double(pairs.count) }) {
      #expect(abs(share - 0.0625) < 5 * (0.0625 * 0.9375 / Double(pairs.count)).squareRoot())
    }
    #expect(compute.dropout(x, rate: 0.25, rows: rows, key: 42) == y && compute.dropout(x, rate: 0.25, rows: rows, key: 43) != y)
    #expect(compute.dropout(x, rate: 0, rows: rows, key: 1) == x)
  }
}

extension BlockAdapters {
  fileprivate func squares(of name: ParameterName) -> Double { self[name].reduce(0) { $0 + Double($1) * Double($1) } }
}
