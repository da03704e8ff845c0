import Foundation
import Kernels
import Testing

/// Attention of packed sequences in training, causal and without a mask, against Float64 twins.
@Suite(.serialized) struct PackedAttentionTests {
  private let shape = AttentionShape(heads: 6, groups: 2, dimension: 24)
  /// Empty and one-row sequences, and ones that are more and less than a block of queries.
  private let offsets = [0, 1, 1, 71, 111, 241]

  private func input(_ columns: Int, _ item: UInt64) -> Matrix {
    Matrix(rows: offsets.last!, columns: columns, values: normal(offsets.last! * columns, item))
  }

  private var inputs: (q: Matrix, k: Matrix, v: Matrix, dy: Matrix) {
    (input(shape.queryWidth, 41), input(shape.keyWidth, 42), input(shape.keyWidth, 43), input(shape.queryWidth, 44))
  }

  @Test(arguments: KernelTests.engines, [true, false]) func forward(compute: Compute, causal: Bool) {
    let (q, k, v, _) = inputs
    let found = compute.attendPacked(q, keys: k, values: v, offsets: offsets, shape: shape, causal: causal)
    let exact = Naive.packedAttention(q, k, v, offsets: offsets, shape: shape, causal: causal)
    #expect(difference(found.values, exact) < 1e-5)
  }

  @Test(arguments: [1, 2], [true, false]) func backward(threads: Int, causal: Bool) {
    let (q, k, v, dy) = inputs
    let compute = Compute(threads: threads)
    let y = compute.attendPacked(q, keys: k, values: v, offsets: offsets, shape: shape, causal: causal)
    let found = compute.attendPackedBackward(q, keys: k, values: v, output: y, dy: dy, offsets: offsets, shape: shape, causal: causal)
    let exact = Naive.packedAttentionBackward(q, k, v, dy, offsets: offsets, shape: shape, causal: causal)
    #expect(difference(found.q.values, exact.q) < 2e-5)
    #expect(difference(found.k.values, exact.k) < 2e-5)
    #expect(difference(found.v.values, exact.v) < 2e-5)
  }

  /// The twin's gradient is the slope of the twin's forward pass.
  @Test(arguments: [true, false]) func twinAgreesWithFiniteDifferences(causal: Bool) {
    let (q, k, v, dy) = inputs
    let gradients = Naive.packedAttentionBackward(q, k, v, dy, offsets: offsets, shape: shape, causal: causal)
    func loss(_ q: Matrix, _ k: Matrix, _ v: Matrix) -> Double {
      zip(Naive.packedAttention(q, k, v, offsets: offsets, shape: shape, causal: causal), dy.values).reduce(0) { $0 + $1.0 * Double($1.1) }
    }
    func moved(_ x: Matrix, _ direction: [Float], _ h: Float) -> Matrix {
      Matrix(rows: x.rows, columns: x.columns, values: zip(x.values, direction).map { $0 + h * $1 })
    }
    let h: Float = 0x1p-10
    let (a, b, c) = (normal(q.values.count, 51), normal(k.values.count, 52), normal(v.values.count, 53))
    let slopes = [
      loss(moved(q, a, h), k, v) - loss(moved(q, a, -h), k, v), loss(q, moved(k, b, h), v) - loss(q, moved(k, b, -h), v),
      loss(q, k, moved(v, c, h)) - loss(q, k, moved(v, c, -h)),
    ].map { $0 / Double(2 * h) }
    for (slope, (gradient, direction)) in zip(slopes, [(gradients.q, a), (gradients.k, b), (gradients.v, c)]) {
      let component = zip(gradient, direction).reduce(0) { $0 + $1.0 * Double($1.1) }
      #expect(abs(slope - component) < 1e-3 * max(1, abs(component)), "slope \(slope), gradient \(component)")
    }
  }
}

extension Naive {
  /// Probabilities [T, T] of one head of one sequence.
  private static func probabilities(
    _ q: Matrix, _ k: Matrix, _ rows: Range<Int>, head h: Int, shape: AttentionShape, causal: Bool
  ) -> [[Double]] {
    let (d, g) = (shape.dimension, h / (shape.heads / shape.groups))
    return rows.map { t in
      let scores = rows.map { s in
        causal && s > t
          ? -Double.infinity
          : (0..<d).reduce(0.0) { $0 + Double(q[t, h * d + $1]) * Double(k[s, g * d + $1]) } / Double(d).squareRoot()
      }
      let weights = scores.map { exp($0 - scores.max()!) }
      let total = weights.reduce(0, +)
      return weights.map { $0 / total }
    }
  }

  /// [N, H·D].
  static func packedAttention(_ q: Matrix, _ k: Matrix, _ v: Matrix, offsets: [Int], shape: AttentionShape, causal: Bool) -> [Double] {
    let d = shape.dimension
    var out = [Double](repeating: 0, count: q.values.count)
    for (start, end) in zip(offsets, offsets.dropFirst()) {
      for h in 0..<shape.heads {
        let p = probabilities(q, k, start..<end, head: h, shape: shape, causal: causal)
        let g = h / (shape.heads / shape.groups)
        for t in start..<end {
          for c in 0..<d {
            out[t * q.columns + h * d + c] = (start..<end).reduce(0.0) { $0 + p[t - start][$1 - start] * Double(v[$1, g * d + c]) }
          }
        }
      }
    }
    return out
  }

  /// With P = softmax(S): dV = Pᵀ dY, dP = dY Vᵀ, dS = P ⊙ (dP − rowsum(P ⊙ dP)) / √D, dQ = dS K, dK = dSᵀ Q.
  static func packedAttentionBackward(
    _ q: Matrix, _ k: Matrix, _ v: Matrix, _ dy: Matrix, offsets: [Int], shape: AttentionShape, causal: Bool
  ) -> (q: [Double], k: [Double], v: [Double]) {
    let d = shape.dimension
    var dq = [Double](repeating: 0, count: q.values.count)
    var (dk, dv) = ([Double](repeating: 0, count: k.values.count), [Double](repeating: 0, count: v.values.count))
    for (start, end) in zip(offsets, offsets.dropFirst()) {
      for h in 0..<shape.heads {
        let p = probabilities(q, k, start..<end, head: h, shape: shape, causal: causal)
        let g = h / (shape.heads / shape.groups)
        for t in start..<end {
          let dp = (start..<end).map { s in (0..<d).reduce(0.0) { $0 + Double(dy[t, h * d + $1]) * Double(v[s, g * d + $1]) } }
          let mean = zip(p[t - start], dp).reduce(0) { $0 + $1.0 * $1.1 }
          for s in start..<end {
            let weight = p[t - start][s - start]
            let ds = weight * (dp[s - start] - mean) / Double(d).squareRoot()
            for c in 0..<d {
              dq[t * q.columns + h * d + c] += ds * Double(k[s, g * d + c])
              dk[s * k.columns + g * d + c] += ds * Double(q[t, h * d + c])
              dv[s * v.columns + g * d + c] += weight * Double(dy[t, h * d + c])
            }
          }
        }
      }
    }
    return (dq, dk, dv)
  }
}
