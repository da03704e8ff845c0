import Kernels

/// The low-rank adapters of matrices that read one input (Q, K and V; gate and up; or a single one), their A's below one another: u = A x, dA and
/// dx are then one product each instead of one a matrix, for a product of 24 columns costs what one of 8 does.
///
/// Dropout gives every matrix's adapter an input of its own; then each has its own products.
struct AdapterGroup {
  private let members: [(target: AdapterTarget, pair: LowRankAdapter)]
  private let scale: Float
  private let compute: Compute
  /// What dropout makes of the input of a target, and of gradients with respect to it; nil without.
  private let mask: ((Matrix, AdapterTarget) -> Matrix)?

  /// Those of `targets` that carry an adapter.
  init(
    _ adapters: BlockAdapters, _ targets: [AdapterTarget], scale: Float, mask: ((Matrix, AdapterTarget) -> Matrix)?, _ compute: Compute
  ) {
    members = targets.compactMap { target in adapters.pairs[target].map { (target, $0) } }
    (self.scale, self.mask, self.compute) = (scale, mask, compute)
  }

  private var isStacked: Bool { mask == nil && members.count > 1 }

  /// A of every member [Σ r, inputs].
  private var stacked: Matrix {
    let rows = members.reduce(0) { $0 + $1.pair.rank }
    return Matrix(rows: rows, columns: members[0].pair.a.columns, values: members.flatMap(\.pair.a.values))
  }

  /// u = x Aᵀ [N, r] of every member. x [N, inputs].
  func lowRank(_ x: Matrix) -> [AdapterTarget: Matrix] {
    guard isStacked else {
      return Dictionary(
        uniqueKeysWithValues: members.map { ($0.target, compute.product(mask?(x, $0.target) ?? x, $0.pair.a, transposeB: true)) })
    }
    let parts = compute.split(compute.product(x, stacked, transposeB: true), widths: members.map(\.pair.rank))
    return Dictionary(uniqueKeysWithValues: zip(members.map(\.target), parts))
  }

  /// y ← y + s · u Bᵀ for the adapter of `target`, if it is a member. y [N, outputs], or those `columns` of it.
  func add(_ u: [AdapterTarget: Matrix], _ target: AdapterTarget, to y: inout Matrix, columns: Range<Int>? = nil) {
    guard let pair = members.first(where: { $0.target == target })?.pair, let u = u[target] else { return }
    compute.product(u, pair.b, transposeB: true, alpha: scale, beta: 1, into: &y, outputColumns: columns)
  }

  /// Adds every member's gradients, dB = s · dyᵀ u and dA = (s · dy B)ᵀ x, to `gradient`, and dx ← dx + Σ s · dy B A.
  /// - Parameters:
  ///   - x: the input [N, inputs].
  ///   - u: what `lowRank(x)` returned.
  ///   - dy: gradient of each target's output: a matrix, and which of its columns.
  func backward(
    _ x: Matrix, _ u: [AdapterTarget: Matrix], dy: (AdapterTarget) -> (Matrix, Range<Int>), dx: inout Matrix, gradient: inout BlockAdapters
  ) {
    let du = members.map { target, pair in
      let (dy, columns) = dy(target)
      compute.product(
        dy, columns: columns, u[target]!, transposeA: true, alpha: scale, beta: 1, into: &gradient.pairs[target]!.b)
      return compute.product(dy, columns: columns, pair.b, alpha: scale)
    }
    guard isStacked else {
      for ((target, pair), du) in zip(members, du) {
        compute.product(du, mask?(x, target) ?? x, transposeA: true, beta: 1, into: &gradient.pairs[target]!.a)
        if let mask { compute.add(&dx, mask(compute.product(du, pair.a), target)) } else { compute.product(du, pair.a, beta: 1, into: &dx) }
      }
      return
    }
    let all = compute.joined(du)
    let dA = compute.product(all, x, transposeA: true)
    var first = 0
    for (target, pair) in members {
      var sum = gradient.pairs[target]!.a
      gradient.pairs[target]!.a = Matrix(rows: 0, columns: 0)  // hand the storage over, so that it is added to in place
      compute.add(&sum, dA.slice(first..<first + pair.rank))
      gradient.pairs[target]!.a = sum
      first += pair.rank
    }
    compute.product(all, stacked, beta: 1, into: &dx)
  }
}
