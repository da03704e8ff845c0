import Foundation
import Kernels

/// Causal attention of one row t of a sequence over rows 0...t, linearised: where a gradient of its output [H·D] goes.
///
/// With probabilities a_j, values v_j and output v̄ = Σ a_j v_j of a head, the softmax gives ∂L/∂s_j = a_j (v_j − v̄)·dO, so that
/// ∂L/∂q = dO B with B = Σ_j a_j (v_j − v̄) k_jᵀ/√D, a matrix [D, D] that serves any number of gradients at once. Queries and keys are rotated
/// ones throughout.
struct RowAttention {
  private let shape: AttentionShape
  private let row: Int
  private let query: ArraySlice<Float>
  private let attended: ArraySlice<Float>
  private let keys: Matrix
  private let values: Matrix
  /// a_j of every head, [H, t + 1] flat.
  private let probabilities: [Float]

  /// - Parameters:
  ///   - query, attended: [T, H·D]; keys, values: [T, G·D], all of one sequence.
  ///   - row: t.
  init(query: Matrix, keys: Matrix, values: Matrix, attended: Matrix, row: Int, shape: AttentionShape) {
    (self.shape, self.row, self.keys, self.values) = (shape, row, keys, values)
    let own = query[row: row]
    (self.query, self.attended) = (own, attended[row: row])
    let (d, perGroup) = (shape.dimension, shape.heads / shape.groups)
    let scale = 1 / Float(d).squareRoot()
    var all: [Float] = []
    for head in 0..<shape.heads {
      let first = own.startIndex + head * d
      let column = head / perGroup * d
      var scores = (0...row).map { j -> Float in
        var sum: Float = 0
        for c in 0..<d { sum += own[first + c] * keys.values[j * keys.columns + column + c] }
        return sum * scale
      }
      let largest = scores.max() ?? 0
      var total: Float = 0
      for j in scores.indices {
        scores[j] = expf(scores[j] - largest)
        total += scores[j]
      }
      all += scores.map { $0 / total }
    }
    probabilities = all
  }

  private func column(_ head: Int) -> Int { head / (shape.heads / shape.groups) * shape.dimension }
  private func probability(_ head: Int, _ j: Int) -> Float { probabilities[head * (row + 1) + j] }

  /// How the output of one head answers to row t's own query and key, [D, D] each: B as above, and (v_t − v̄) a_t qᵀ/√D.
  private func slopes(_ head: Int, _ compute: Compute) -> (ofQuery: Matrix, ofKey: Matrix) {
    let d = shape.dimension
    let scale = 1 / Float(d).squareRoot()
    let (h, g) = (head * d, column(head))
    // a_j (v_j − v̄)/√D and k_j, [t + 1, D] each.
    var weighted = Matrix(rows: row + 1, columns: d)
    var key = weighted
    for j in 0...row {
      let a = probability(head, j) * scale
      for c in 0..<d {
        weighted.values[j * d + c] = a * (values.values[j * values.columns + g + c] - attended[attended.startIndex + h + c])
        key.values[j * d + c] = keys.values[j * keys.columns + g + c]
      }
    }
    var ofKey = Matrix(rows: d, columns: d)
    for c in 0..<d {
      for e in 0..<d { ofKey.values[c * d + e] = weighted[row, c] * query[query.startIndex + h + e] }
    }
    return (compute.product(weighted, key, transposeA: true), ofKey)
  }

  /// Gradients of row t's own query [M, H·D], key and value [M, G·D], given M gradients of its output [M, H·D].
  func own(_ dy: Matrix, _ compute: Compute) -> (query: Matrix, key: Matrix, value: Matrix) {
    let d = shape.dimension
    var dq = Matrix(rows: dy.rows, columns: shape.queryWidth)
    var dk = Matrix(rows: dy.rows, columns: shape.keyWidth)
    var dv = dk
    for head in 0..<shape.heads {
      let (columns, g) = (head * d..<head * d + d, column(head))
      let slopes = slopes(head, compute)
      compute.product(dy, columns: columns, slopes.ofQuery, into: &dq, outputColumns: columns)
      compute.product(dy, columns: columns, slopes.ofKey, beta: 1, into: &dk, outputColumns: g..<g + d)
      let a = probability(head, row)
      for m in 0..<dy.rows {
        for c in 0..<d { dv.values[m * dv.columns + g + c] += a * dy.values[m * dy.columns + columns.lowerBound + c] }
      }
    }
    return (dq, dk, dv)
  }

  /// The transpose of `own`: how the output [M, H·D] moves with M motions of row t's own query [M, H·D], key and value [M, G·D].
  func ahead(_ dq: Matrix, _ dk: Matrix, _ dv: Matrix, _ compute: Compute) -> Matrix {
    let d = shape.dimension
    var out = Matrix(rows: dq.rows, columns: shape.queryWidth)
    for head in 0..<shape.heads {
      let (columns, g) = (head * d..<head * d + d, column(head))
      let slopes = slopes(head, compute)
      compute.product(dq, columns: columns, slopes.ofQuery, transposeB: true, into: &out, outputColumns: columns)
      compute.product(dk, columns: g..<g + d, slopes.ofKey, transposeB: true, beta: 1, into: &out, outputColumns: columns)
      let a = probability(head, row)
      for m in 0..<dq.rows {
        for c in 0..<d { out.values[m * out.columns + columns.lowerBound + c] += a * dv.values[m * dv.columns + g + c] }
      }
    }
    return out
  }

  /// Adds to the gradients of the keys and values [T, G·D] of rows before t what one gradient of the output [1, H·D] sends there.
  func send(_ dy: Matrix, toKeys dk: inout Matrix, values dv: inout Matrix) {
    let d = shape.dimension
    let scale = 1 / Float(d).squareRoot()
    for head in 0..<shape.heads {
      let (h, g) = (head * d, column(head))
      for j in 0..<row {
        let a = probability(head, j)
        let at = j * keys.columns + g
        var along: Float = 0
        for c in 0..<d { along += dy.values[h + c] * (values.values[at + c] - attended[attended.startIndex + h + c]) }
        let slope = a * along * scale
        for c in 0..<d {
          dk.values[at + c] += slope * query[query.startIndex + h + c]
          dv.values[at + c] += a * dy.values[h + c]
        }
      }
    }
  }
}
