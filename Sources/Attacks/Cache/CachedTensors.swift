import Audit
import Diagnostics
import Kernels
import Llama
import SplitLearning

/// What a server block makes of a state, as an adversary of its cache observes it: chosen ones of keys, values and queries side by side, the
/// rotation by position undone.
struct CachedTensors: Sendable {
  enum Tensors: String, CaseIterable {
    case keysAndValues = "keys-and-values"
    case keys, values
    /// Not in a cache: what the server computes besides.
    case queriesKeysAndValues = "queries-keys-and-values"

    var channels: [Channel] {
      switch self {
      case .keysAndValues: [.keys, .values]
      case .keys: [.keys]
      case .values: [.values]
      case .queriesKeysAndValues: [.queries, .keys, .values]
      }
    }

    /// The projections that make them, in the same order.
    var targets: [AdapterTarget] { channels.map { $0 == .queries ? .query : $0 == .keys ? .key : .value } }
  }

  /// Which tensors of which block.
  let cut: CacheCut
  /// [N, F].
  let observed: Matrix
  /// State [B, C] → [B, F].
  let feature: StateFeature

  var block: Int { cut.block }

  /// - Parameter place: `first`, `middle`, `last` of the recorded blocks, or a number as text.
  /// Throws `Fault` 65 for a channel or block that the view does not hold, or shapes that the model does not have.
  init(_ view: AdversaryView, _ tensors: Tensors, place: String, _ means: AttackerMeans, by attack: String) throws {
    let observations = try tensors.channels.map { ($0, try view.required($0, by: attack)) }
    let recorded = observations[0].1.blocks
    guard let block = Self.block(place, of: recorded) else {
      throw Fault(
        .invalidData, "\(attack): block \(place) was not recorded", hint: "recorded: \(recorded.map(String.init).joined(separator: ", "))")
    }
    let blocks = means.model.stack.blocks.count
    guard block >= view.partition.input, block < blocks - max(0, view.partition.output) else {
      throw Fault(
        .invalidData,
        "\(attack): the view is of block \(block), the server's are from \(view.partition.input) on, of \(blocks) of the model")
    }
    let (weights, compute) = (means.model.stack.blocks[block], means.model.compute)
    let positions = (0..<view.documents).flatMap { Array(0..<view.range(of: $0).count) }
    let unrotation = RotaryTable(positions: positions, frequencies: means.model.stack.frequencies).inverse
    var parts: [Matrix] = []
    for (channel, observation) in observations {
      let heads = channel == .queries ? weights.shape.heads : weights.shape.groups
      guard var part = observation.part(of: block), part.columns == heads * weights.shape.dimension, part.rows == view.tokens else {
        throw Fault(.invalidData, "\(attack): \(channel.rawValue) does not fit block \(block) of this model")
      }
      if channel != .values { compute.rotate(&part, heads: heads, by: unrotation) }
      parts.append(part)
    }
    (cut, observed) = (CacheCut(block: block, tensors: tensors), compute.joined(parts))
    feature = cut.feature(means)
  }

  static func block(_ place: String, of recorded: [Int]) -> Int? {
    guard !recorded.isEmpty else { return nil }
    switch place {
    case "first": return recorded[0]
    case "middle": return recorded[recorded.count / 2]
    case "last": return recorded[recorded.count - 1]
    default: return Int(place).flatMap { recorded.contains($0) ? $0 : nil }
    }
  }

  /// What was observed, less the projections' biases.
  func unbiased(_ means: AttackerMeans) -> Matrix {
    guard let biases = means.model.stack.blocks[block].biases else { return observed }
    var out = observed
    let all = cut.tensors.targets.flatMap { $0 == .query ? biases.query : $0 == .key ? biases.key : biases.value }
    means.model.compute.addBias(&out, all.map { -$0 })
    return out
  }

  /// The rows of the stacked projections that were observed, [F, C], as they act on a normalised state.
  func projections(_ means: AttackerMeans) -> Matrix {
    let (weights, compute) = (means.model.stack.blocks[block], means.model.compute)
    let all = cut.tensors.targets.map { weights.effective($0, compute) }
    return Matrix(rows: all.reduce(0) { $0 + $1.rows }, columns: all[0].columns, values: all.flatMap(\.values))
  }
}

/// Where a cache is read: the tensors of one server block.
struct CacheCut: Sendable, Hashable {
  /// Number of the block in the whole model.
  let block: Int
  let tensors: CachedTensors.Tensors

  /// What the block makes of a state that enters it, the rotation by position left out: [B, C] → [B, F].
  func feature(_ means: AttackerMeans) -> StateFeature {
    let (weights, frequencies) = (means.model.stack.blocks[block], means.model.stack.frequencies)
    let targets = tensors.targets
    return StateFeature(name: "block \(block) \(tensors.rawValue)") { states, compute in
      // At position 0 the rotation is the identity.
      let still = RotaryTable(positions: [Int](repeating: 0, count: states.rows), frequencies: frequencies)
      let (q, k, v) = weights.project(states, rotary: still, compute)
      return compute.joined(targets.map { $0 == .query ? q : $0 == .key ? k : v })
    }
  }

  /// F.
  func columns(_ model: LlamaModel) -> Int {
    let shape = model.stack.blocks[block].shape
    return tensors.channels.reduce(0) { $0 + ($1 == .queries ? shape.heads : shape.groups) * shape.dimension }
  }
}
