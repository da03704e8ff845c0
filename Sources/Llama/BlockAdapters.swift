package import Kernels

/// What training changes in one block: low-rank adapters, or in full fine-tuning the weights themselves; gradients and averages have the same form.
package struct BlockAdapters: Sendable, Equatable {
  package var pairs: [AdapterTarget: LowRankAdapter]
  /// Matrices [outputs, inputs] that are trained whole, in f32 whatever the precision of the block.
  package var weights: [AdapterTarget: Matrix] = [:]
  /// RMSNorm weights that are trained, [C]; empty when frozen.
  package var attentionNorm: [Float] = []
  package var feedForwardNorm: [Float] = []

  package init(_ pairs: [AdapterTarget: LowRankAdapter]) { self.pairs = pairs }

  /// As PEFT initialises: A uniform in ±1/√inputs (Kaiming with a = √5), B zero, so that training starts
  /// from the model as it is. Randomness: a function of seed, block and target only.
  package init(_ block: Block, index: Int, _ settings: AdapterSettings, seed: UInt64) {
    pairs = [:]
    for target in settings.targets {
      let weight = block[target]
      var generator = CounterRandom(seed: seed, stream: "adapter/\(index)/\(target.rawValue)").generator()
      let bound = 1 / Float(weight.columns).squareRoot()
      let a = (0..<settings.rank * weight.columns).map { _ in Float.random(in: -bound...bound, using: &generator) }
      pairs[target] = LowRankAdapter(
        a: Matrix(rows: settings.rank, columns: weight.columns, values: a), b: Matrix(rows: weight.rows, columns: settings.rank))
    }
  }

  /// Full fine-tuning: all seven matrices and both norms of `block`, as they are. Biases (Qwen2) stay frozen.
  package init(whole block: Block, compute: Compute) {
    pairs = [:]
    for target in AdapterTarget.allCases {
      let weight = block[target]
      weights[target] = Matrix(rows: weight.rows, columns: weight.columns, values: weight.values(compute))
    }
    (attentionNorm, feedForwardNorm) = (block.attentionNorm, block.feedForwardNorm)
  }

  /// Adapted matrices in a fixed order.
  package var targets: [AdapterTarget] { AdapterTarget.allCases.filter { pairs[$0] != nil } }

  /// Everything that is trained, in a fixed order.
  package var names: [ParameterName] {
    targets.flatMap { [.adapterA($0), .adapterB($0)] } + AdapterTarget.allCases.filter { weights[$0] != nil }.map { .weight($0) }
      + (attentionNorm.isEmpty ? [] : [.attentionNorm]) + (feedForwardNorm.isEmpty ? [] : [.feedForwardNorm])
  }

  /// Values of one tensor, flat. Traps for a name that is not in `names`.
  package subscript(name: ParameterName) -> [Float] {
    get {
      switch name {
      case .adapterA(let target): pairs[target]!.a.values
      case .adapterB(let target): pairs[target]!.b.values
      case .weight(let target): weights[target]!.values
      case .attentionNorm: attentionNorm
      case .feedForwardNorm: feedForwardNorm
      }
    }
    _modify {
      switch name {
      case .adapterA(let target): yield &pairs[target]!.a.values
      case .adapterB(let target): yield &pairs[target]!.b.values
      case .weight(let target): yield &weights[target]!.values
      case .attentionNorm: yield &attentionNorm
      case .feedForwardNorm: yield &feedForwardNorm
      }
    }
  }

  /// Shape of one tensor, for files.
  package func shape(_ name: ParameterName) -> [Int] {
    switch name {
    case .adapterA(let target): [pairs[target]!.a.rows, pairs[target]!.a.columns]
    case .adapterB(let target): [pairs[target]!.b.rows, pairs[target]!.b.columns]
    case .weight(let target): [weights[target]!.rows, weights[target]!.columns]
    case .attentionNorm, .feedForwardNorm: [self[name].count]
    }
  }

  /// Values of everything together.
  package var parameters: Int { names.reduce(0) { $0 + self[$1].count } }

  package var zeros: BlockAdapters {
    var out = self
    for name in names { out[name] = [Float](repeating: 0, count: self[name].count) }
    return out
  }

  /// Σ x² of everything, in the order of `names`.
  package var squares: Double {
    names.reduce(0) { total, name in total + self[name].reduce(0) { $0 + Double($1) * Double($1) } }
  }

  /// Mean over sets of the same form, each counted `weights[i]` times.
  package static func mean(_ sets: [BlockAdapters], weights: [Double]) -> BlockAdapters {
    precondition(!sets.isEmpty && sets.count == weights.count, "\(sets.count) sets, \(weights.count) weights")
    guard sets.count > 1 else { return sets[0] }
    let total = weights.reduce(0, +)
    var out = sets[0]
    for name in out.names {
      let vectors = sets.map { $0[name] }
      out[name] = vectors[0].indices.map { k in Float(zip(vectors, weights).reduce(0.0) { $0 + $1.1 * Double($1.0[k]) } / total) }
    }
    return out
  }
}
