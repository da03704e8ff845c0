package import Kernels

/// Matrices of a block that can carry an adapter, by their Hugging Face names.
package enum AdapterTarget: String, Sendable, CaseIterable, Codable {
  case query = "q_proj"
  case key = "k_proj"
  case value = "v_proj"
  case output = "o_proj"
  case gate = "gate_proj"
  case up = "up_proj"
  case down = "down_proj"
}

/// A low-rank adapter (Hu et al. 2021, LoRA): W x becomes W x + s · B A x.
package struct LowRankAdapter: Sendable, Equatable {
  /// A [r, inputs].
  package var a: Matrix
  /// B [outputs, r].
  package var b: Matrix

  package init(a: Matrix, b: Matrix) {
    precondition(a.rows == b.columns, "A of rank \(a.rows), B of rank \(b.columns)")
    (self.a, self.b) = (a, b)
  }

  package var rank: Int { a.rows }

  /// Zeros of the same shapes: where gradients are added up.
  package var zeros: LowRankAdapter {
    LowRankAdapter(a: Matrix(rows: a.rows, columns: a.columns), b: Matrix(rows: b.rows, columns: b.columns))
  }

  /// y ← y + s · x Aᵀ Bᵀ. x [N, inputs], y [N, outputs].
  func add(_ x: Matrix, scale: Float, to y: inout Matrix, _ compute: Compute) {
    let u = compute.product(x, a, transposeB: true)
    compute.product(u, b, transposeB: true, alpha: scale, beta: 1, into: &y)
  }

  /// Given dy at input x: dx ← dx + s · dy B A, and adds the adapter's own gradients (u = x Aᵀ: dB = s · dyᵀ u, dA = s · (dy B)ᵀ x).
  func backward(_ x: Matrix, dy: Matrix, scale: Float, dx: inout Matrix, gradient: inout LowRankAdapter, _ compute: Compute) {
    let u = compute.product(x, a, transposeB: true)
    compute.product(dy, u, transposeA: true, alpha: scale, beta: 1, into: &gradient.b)
    let du = compute.product(dy, b, alpha: scale)
    compute.product(du, x, transposeA: true, beta: 1, into: &gradient.a)
    compute.product(du, a, beta: 1, into: &dx)
  }
}

/// What an adapter is made of: which matrices, rank r, and α; the adapter counts α / r.
package struct AdapterSettings: Sendable, Hashable {
  package var targets: [AdapterTarget]
  package var rank: Int
  package var alpha: Float

  package init(targets: [AdapterTarget] = [.query, .key, .value, .output], rank: Int = 8, alpha: Float = 16) {
    (self.targets, self.rank, self.alpha) = (targets, rank, alpha)
  }

  package var scale: Float { alpha / Float(rank) }
}

/// The adapters of one block.
package struct BlockAdapters: Sendable, Equatable {
  package var pairs: [AdapterTarget: LowRankAdapter]

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

  /// Targets in a fixed order.
  package var targets: [AdapterTarget] { AdapterTarget.allCases.filter { pairs[$0] != nil } }
  package var zeros: BlockAdapters { BlockAdapters(pairs.mapValues(\.zeros)) }
}

extension Block {
  /// The matrix that an adapter of `target` goes with.
  package subscript(target: AdapterTarget) -> Weight {
    switch target {
    case .query: query
    case .key: key
    case .value: value
    case .output: output
    case .gate: gate
    case .up: up
    case .down: down
    }
  }
}
