import Checkpoints
import Diagnostics
package import Kernels
package import Llama

/// One block on its way from one party to another: what is trained, its moments and its steps.
package struct BlockState: Sendable, Equatable {
  package var adapters: BlockAdapters
  package var moments: [ParameterName: AdamW.Moments]
  package var step: Int

  /// Bytes of its tensors in f32: what a migration sends.
  package var bytes: Int { 3 * 4 * adapters.names.reduce(0) { $0 + adapters[$1].count } }

  /// Of two copies of one block, each counted as often as there are clients that train it.
  static func mean(_ a: BlockState, _ weightA: Double, _ b: BlockState, _ weightB: Double) -> BlockState {
    var out = a
    out.adapters = .mean([a.adapters, b.adapters], weights: [weightA, weightB])
    for (name, moments) in a.moments {
      guard let other = b.moments[name] else { continue }
      func blend(_ x: [Float], _ y: [Float]) -> [Float] {
        zip(x, y).map { Float((weightA * Double($0) + weightB * Double($1)) / (weightA + weightB)) }
      }
      out.moments[name] = AdamW.Moments(first: blend(moments.first, other.first), second: blend(moments.second, other.second))
    }
    out.step = max(a.step, b.step)
    return out
  }
}

/// A run of blocks that one party trains: weights, optimizer state, and the gradients added up since the last step.
package struct TrainingParty: Sendable {
  /// The whole model, from which blocks come that the party takes over.
  private let source: BlockStack
  package private(set) var trainable: TrainableStack
  package private(set) var optimizer: AdapterOptimizer
  package private(set) var gradients: [BlockAdapters]

  /// - Parameter trainable: blocks of `source`.
  package init(_ trainable: TrainableStack, of source: BlockStack, rule: AdamW) {
    (self.trainable, self.source) = (trainable, source)
    optimizer = AdapterOptimizer(trainable.adapters, rule: rule, clip: nil)
    gradients = trainable.zeroGradients
  }

  package var adapters: [BlockAdapters] { trainable.adapters }
  /// Indices of the blocks in the whole model.
  package var range: Range<Int> { trainable.range }
  /// Squared norm of each block's gradients.
  package var squares: [Double] { gradients.map(\.squares) }

  mutating func backward(_ dy: Matrix, _ tape: TrainableStack.Tape) -> Matrix {
    trainable.backward(dy, tape, gradients: &gradients)
  }

  mutating func update(rate: Float, factor: Float) {
    optimizer.update(&trainable.adapters, gradients: gradients, rate: rate, factor: factor)
    trainable.refresh()
    gradients = trainable.zeroGradients
  }

  /// Takes over what is trained of block `block`, for example an average; the optimizer's state stays.
  mutating func adopt(_ adapters: BlockAdapters, block: Int) { trainable.adapters[block - range.lowerBound] = adapters }

  /// Call after `adopt`.
  mutating func refresh() { trainable.refresh() }

  package subscript(state block: Int) -> BlockState {
    let i = block - range.lowerBound
    return BlockState(adapters: trainable.adapters[i], moments: optimizer.moments[i], step: optimizer.steps[i])
  }

  /// Runs `range` from now on; blocks that it did not run come from `states`. Only between two steps.
  /// Throws `Fault` 65 when a block's state is missing or trains other tensors (low-rank here, whole there).
  mutating func reshape(to range: Range<Int>, states: [Int: BlockState]) throws {
    let model = trainable.adapters.first?.names
    let all = try range.map { block -> BlockState in
      if let state = states[block] {
        guard model == nil || state.adapters.names == model else {
          throw Fault(.invalidData, "block \(block) cannot move: one side trains it whole, the other an adapter")
        }
        return state
      }
      guard self.range.contains(block) else { throw Fault(.invalidData, "block \(block) cannot move: nobody sent its state") }
      return self[state: block]
    }
    trainable = trainable.over(source[range], adapters: all.map(\.adapters))
    optimizer.moments = all.map(\.moments)
    optimizer.steps = all.map(\.step)
    gradients = trainable.zeroGradients
  }
}

extension TrainingParty {
  /// Its tensors for a file: trained values, first and second moments, by `prefix`/block/name.
  func tensors(_ prefix: String) -> [(entry: SafetensorsWriter.Entry, values: [Float])] {
    range.flatMap { block in
      let state = self[state: block]
      return state.adapters.names.flatMap { name in
        let shape = state.adapters.shape(name)
        let moments = state.moments[name]!
        return [("", state.adapters[name]), (".first", moments.first), (".second", moments.second)].map { suffix, values in
          (SafetensorsWriter.Entry("\(prefix)/\(block)/\(name.text)\(suffix)", shape: shape), values)
        }
      }
    }
  }

  /// Takes everything from a file that `tensors` went into. Throws `Fault` 65 for a tensor that is missing, misshapen or not finite.
  mutating func restore(_ file: SafetensorsFile, _ prefix: String, steps: [Int]) throws {
    guard steps.count == range.count, steps.allSatisfy({ $0 >= 0 }) else {
      throw Fault(.invalidData, "\(steps.count) step counts for \(range.count) blocks of \(prefix)", at: file.path)
    }
    var states: [Int: BlockState] = [:]
    for (block, step) in zip(range, steps) {
      var state = self[state: block]
      state.step = step
      for name in state.adapters.names {
        let key = "\(prefix)/\(block)/\(name.text)"
        let shape = state.adapters.shape(name)
        state.adapters[name] = try file.floats(key, shape: shape)
        state.moments[name] = AdamW.Moments(
          first: try file.floats(key + ".first", shape: shape), second: try file.floats(key + ".second", shape: shape))
      }
      states[block] = state
    }
    try reshape(to: range, states: states)
  }
}
