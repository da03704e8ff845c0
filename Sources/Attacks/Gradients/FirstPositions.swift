import Audit
import Checkpoints
import Foundation
import Kernels
import Llama

/// First tokens, whose own attention leaves no trace in ∂L/∂W_Q, out of the trace of the second position.
///
/// With the bag known, ∂L/∂W_Q = Σ_v δ_v n_vᵀ is solved for δ_v, the gradient of the query of every token. At a text's second position the softmax
/// has two entries, whose slopes cancel: in every head δ is a multiple of R₁⁻¹ k_first − k_second, keys unrotated, R₁ the rotation of one
/// position. H multiples explain H·D values, so every first token of the vocabulary can be told at once — where the second token occurs at no
/// other position of the message, whose gradients would be added to it.
struct FirstPositions {
  /// Share of δ's norm that a pair may leave unexplained.
  private static let misfit = 0.2
  /// First tokens kept for each second one.
  private static let most = 3

  /// Pairs of first and second token that explain the gradient of the second, best first.
  /// - Parameters:
  ///   - gradient: of the first block [H·D, C].
  ///   - bag: tokens of its row space.
  ///   - inputs: normalised embeddings of the vocabulary [V, C].
  static func pairs(_ gradient: Matrix, bag: [Int32], inputs: Matrix, _ means: AttackerMeans) -> [(first: Int32, second: Int32)] {
    let (block, compute) = (means.model.stack.blocks[0], means.model.compute)
    let normed = compute.gather(inputs, rows: bag.map(Int.init)[...])
    guard let deltas = solved(normed, gradient, compute) else { return [] }
    let keys = means.memory.table("keys of first positions") { Keys(means.model) }
    var found: [(first: Int32, second: Int32, misfit: Double)] = []
    for (i, second) in bag.enumerated() {
      found += firsts(Array(deltas[row: i]), Array(keys.still[row: Int(second)]), keys.moved, keys.squares, block.shape, compute).map {
        ($0.0, second, $0.1)
      }
    }
    return found.sorted { $0.misfit == $1.misfit ? ($0.first, $0.second) < ($1.first, $1.second) : $0.misfit < $1.misfit }
      .map { ($0.first, $0.second) }
  }

  /// Keys of the first block of the whole vocabulary.
  private struct Keys: Sendable {
    /// [V, G·D] without rotation, and rotated back by one position; squares of the latter's heads [V, G].
    let still: Matrix
    let moved: Matrix
    let squares: Matrix

    init(_ model: LlamaModel) {
      let (block, compute) = (model.stack.blocks[0], model.compute)
      let everyone = Matrix(rows: model.embedding.rows, columns: model.embedding.columns, values: model.embedding.values(compute))
      func rotary(_ position: Int) -> RotaryTable {
        RotaryTable(positions: [Int](repeating: position, count: everyone.rows), frequencies: model.stack.frequencies)
      }
      still = block.project(everyone, rotary: rotary(0), compute).key
      var rotated = still
      compute.rotate(&rotated, heads: block.shape.groups, by: rotary(1).inverse)
      moved = rotated
      squares = compute.product(squared(moved), groupSums(block.shape))
    }
  }

  /// First tokens that explain one δ [H·D], with the share of its norm that they leave.
  private static func firsts(
    _ delta: [Float], _ own: [Float], _ moved: Matrix, _ squares: Matrix, _ shape: AttentionShape, _ compute: Compute
  ) -> [(Int32, Double)] {
    let (d, perGroup) = (shape.dimension, shape.heads / shape.groups)
    // δ of each head, and the own key of each group, in the columns of their group.
    var probes = Matrix(rows: shape.heads + shape.groups, columns: shape.keyWidth)
    var against = [Double](repeating: 0, count: shape.heads)
    for h in 0..<shape.heads {
      for c in 0..<d {
        probes[h, h / perGroup * d + c] = delta[h * d + c]
        against[h] += Double(delta[h * d + c]) * Double(own[h / perGroup * d + c])
      }
    }
    for g in 0..<shape.groups { for c in 0..<d { probes[shape.heads + g, g * d + c] = own[g * d + c] } }
    let ownSquares = (0..<shape.groups).map { g in own[g * d..<(g + 1) * d].reduce(0.0) { $0 + Double($1) * Double($1) } }
    let dots = compute.product(moved, probes, transposeB: true)
    let whole = delta.reduce(0.0) { $0 + Double($1) * Double($1) }
    guard whole > 0 else { return [] }
    var best: [(Int32, Double)] = []
    for v in 0..<moved.rows {
      var explained = 0.0
      for h in 0..<shape.heads {
        let g = h / perGroup
        let length = Double(squares[v, g]) - 2 * Double(dots[v, shape.heads + g]) + ownSquares[g]
        let along = Double(dots[v, h]) - against[h]
        if length > 1e-9 * ownSquares[g] { explained += along * along / length }
      }
      let share = max(0, 1 - explained / whole).squareRoot()
      if share < misfit { best.append((Int32(v), share)) }
    }
    return Array(best.sorted { $0.1 < $1.1 }.prefix(most))
  }

  /// δ of every input [n, H·D]: least squares of ∂L/∂W_Q = Σ δ n_tᵀ; nil where inputs depend on each other, as more of them than channels do. Sums are in double precision: states of one
  /// text have most of their length in common, which squares of f32 would drown the rest in.
  static func solved(_ normed: Matrix, _ gradient: Matrix, _ compute: Compute) -> Matrix? {
    guard normed.rows <= normed.columns else { return nil }
    let wide = (0..<normed.rows).map { normed[row: $0].map(Double.init) }
    func products(with rows: [[Double]]) -> [Double] {
      wide.flatMap { x in
        rows.map { y in
          var sum = 0.0
          for c in y.indices { sum += x[c] * y[c] }
          return sum
        }
      }
    }
    guard let factor = Cholesky(products(with: wide), order: normed.rows) else { return nil }
    let values = factor.solve(
      products(with: (0..<gradient.rows).map { gradient[row: $0].map(Double.init) }), columns: gradient.rows)
    return Matrix(rows: normed.rows, columns: gradient.rows, values: values.map(Float.init))
  }

  private static func squared(_ x: Matrix) -> Matrix { Matrix(rows: x.rows, columns: x.columns, values: x.values.map { $0 * $0 }) }

  /// [G·D, G]: adds up the channels of each group.
  private static func groupSums(_ shape: AttentionShape) -> Matrix {
    var out = Matrix(rows: shape.keyWidth, columns: shape.groups)
    for c in 0..<shape.keyWidth { out[c, c / shape.dimension] = 1 }
    return out
  }
}
