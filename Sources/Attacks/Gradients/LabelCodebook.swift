import Foundation
import Kernels
import Llama

/// The gradients that every label would leave at one row: G_v = d − w_v K at α = 1, with what is known in d.
///
/// A label's cost is min over α of cost(α) + ‖g − α G_v‖²/σ². All V of them exactly take a product [V, C] × [C, C]; instead, the same cost within
/// a space of about fifty directions that holds g and d bounds it from below, and only labels whose bound is good enough are worked out.
struct LabelCodebook {
  /// One label with its score in nats: −cost/2 + λ ln p.
  struct Scored {
    var token: Int32
    var score: Double
  }

  let table: LabelTable
  /// K [C, C], see `RowwiseGradient.localJacobian`.
  let jacobian: Matrix
  /// g and d, [C].
  let observed: [Float]
  let known: [Float]
  let scale: GradientScale
  let sigma: Double
  let compute: Compute

  /// The best labels first, all that can matter up to `most`.
  /// - Parameters:
  ///   - logPrior: λ ln p of every token [V].
  ///   - share: stop when labels that were not worked out hold less than this of the posterior.
  /// - Returns: labels worked out, best first; ln of the summed exp(bound) of the others.
  func best(logPrior: [Float], most: Int, share: Double) -> (labels: [Scored], rest: Double) {
    let bounds = self.bounds(logPrior)
    let total = logSum(bounds)
    var found: [Scored] = []
    var seen = -Double.infinity  // ln Σ exp(bound) of those worked out
    var count = min(most, 256)
    while true {
      let ids = Array(largest(count, of: bounds)[found.count...])
      found += exact(ids, logPrior)
      seen = logAdd(seen, logSum(ids.map { bounds[Int($0)] }))
      let missing = logSubtract(total, seen)
      let weight = found.reduce(-Double.infinity) { logAdd($0, $1.score) }
      if missing < weight + log(share) || found.count >= min(most, bounds.count) {
        found.sort { $0.score == $1.score ? $0.token < $1.token : $0.score > $1.score }
        return (found, missing)
      }
      count = min(most, bounds.count, count * 4)
    }
  }

  /// Whether the row is no longer than noise alone would be, within five standard deviations of that.
  var isNoise: Bool {
    let square = observed.reduce(0.0) { $0 + Double($1) * Double($1) } / (sigma * sigma)
    let n = Double(observed.count)
    return square <= n + 5 * (2 * n).squareRoot()
  }

  /// Score of having no label at all: G = `inherited`.
  func unlabelled(_ inherited: [Float], logPrior: Double) -> Double { -cost(inherited) / 2 + logPrior }

  /// The gradient of label `token` at α = 1.
  func gradient(of token: Int32) -> [Float] { gradients(of: [token]).values }

  private func gradients(of ids: [Int32]) -> Matrix {
    var out = compute.product(compute.gather(table.weights, rows: ids.map(Int.init)[...]), jacobian, alpha: -1)
    compute.addBias(&out, known)
    return out
  }

  private func exact(_ ids: [Int32], _ logPrior: [Float]) -> [Scored] {
    let all = gradients(of: ids)
    return ids.enumerated().map { i, id in Scored(token: id, score: -cost(Array(all[row: i])) / 2 + Double(logPrior[Int(id)])) }
  }

  private func cost(_ gradient: [Float]) -> Double {
    let (dot, square) = moments(gradient)
    let alpha = scale.value(with: dot, square)
    let residual = zip(observed, gradient).reduce(0.0) {
      $0 + (Double($1.0) - alpha * Double($1.1)) * (Double($1.0) - alpha * Double($1.1))
    }
    return scale.cost(of: alpha) + residual / (sigma * sigma)
  }

  /// g·G and ‖G‖² over σ².
  func moments(_ gradient: [Float]) -> (dot: Double, square: Double) {
    var (dot, square) = (0.0, 0.0)
    for (g, x) in zip(observed, gradient) {
      dot += Double(g) * Double(x)
      square += Double(x) * Double(x)
    }
    return (dot / (sigma * sigma), square / (sigma * sigma))
  }

  /// λ ln p − half the cost within the subspace, of every label [V].
  private func bounds(_ logPrior: [Float]) -> [Float] {
    let space = orthonormal([observed, known] + rows(of: compute.product(table.directions, jacobian)))
    let basis = Matrix(rows: space.count, columns: observed.count, values: space.flatMap { $0 })
    // w_v K Pᵀ of every label [V, directions].
    let moved = compute.linear(table.weights, compute.product(basis, jacobian, transposeB: true).values, outputs: basis.rows)
    let inverse = 1 / (sigma * sigma)
    let (g, d, count) = (project(observed, basis), project(known, basis), basis.rows)
    return .filled(moved.rows) { out in
      moved.values.withUnsafeBufferPointer { all in
        compute.parallel(over: moved.rows, grain: 1024) { range in
          for v in range {
            let row = UnsafeBufferPointer(rebasing: all[v * count..<(v + 1) * count])
            var (dot, square) = (0.0, 0.0)
            for k in 0..<count {
              let y = d[k] - Double(row[k])
              dot += g[k] * y
              square += y * y
            }
            let alpha = scale.value(with: dot * inverse, square * inverse)
            var residual = 0.0
            for k in 0..<count {
              let y = g[k] - alpha * (d[k] - Double(row[k]))
              residual += y * y
            }
            let bound = logPrior[v] - Float((scale.cost(of: alpha) + residual * inverse) / 2)
            out[v] = bound.isNaN ? -.greatestFiniteMagnitude : max(bound, -.greatestFiniteMagnitude)
          }
        }
      }
    }
  }

  private func rows(of x: Matrix) -> [[Float]] { (0..<x.rows).map { Array(x[row: $0]) } }

  private func project(_ x: [Float], _ basis: Matrix) -> [Double] {
    (0..<basis.rows).map { k in zip(x, basis[row: k]).reduce(0.0) { $0 + Double($1.0) * Double($1.1) } }
  }

  /// Unit vectors that span the same, by modified Gram–Schmidt; what depends on those before it is left out.
  private func orthonormal(_ vectors: [[Float]]) -> [[Float]] {
    var out: [[Float]] = []
    for vector in vectors where out.count < vector.count {
      var x = vector
      let before = norm(x)
      for _ in 0..<2 {
        for unit in out {
          var along: Float = 0
          for c in x.indices { along += x[c] * unit[c] }
          for c in x.indices { x[c] -= along * unit[c] }
        }
      }
      let after = norm(x)
      if after > 1e-4 * before, after > 0 { out.append(x.map { $0 / after }) }
    }
    return out
  }

  private func norm(_ x: [Float]) -> Float { Float(x.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()) }
}
