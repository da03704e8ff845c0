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

  /// y ← y + s · x Aᵀ Bᵀ, for inference; training has `AdapterGroup`. x [N, inputs], y [N, outputs].
  func add(_ x: Matrix, scale: Float, to y: inout Matrix, _ compute: Compute) {
    let u = compute.product(x, a, transposeB: true)
    compute.product(u, b, transposeB: true, alpha: scale, beta: 1, into: &y)
  }
}

/// What an adapter is made of: which matrices, rank r, and α; the adapter counts α / r.
package struct AdapterSettings: Sendable, Hashable {
  package var targets: [AdapterTarget]
  package var rank: Int
  package var alpha: Float
  /// Probability that an input of an adapter is dropped in training.
  package var dropout: Float

  package init(
    targets: [AdapterTarget] = [.query, .key, .value, .output], rank: Int = 8, alpha: Float = 16, dropout: Float = 0
  ) {
    (self.targets, self.rank, self.alpha, self.dropout) = (targets, rank, alpha, dropout)
  }

  package var scale: Float { alpha / Float(rank) }
}
