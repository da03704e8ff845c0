import Foundation
import Kernels
import Llama

/// The gradients that every label would leave at one row: G_v = d − w_v K at α = 1, with what is known in d.
///
/// A label's cost is min over α of cost(α) + ‖g − α G_v‖²/σ². All V of them exactly take the whole of K and a product [V, C] × [C, C]; instead, the
/// same cost within a space of a few directions that holds g and d bounds it from below, and only labels whose bound is good enough are worked out.
/// Where there is no noise two directions beside g and d nearly always tell the label; where they do not a dozen are taken, then all fifty.
struct LabelCodebook {
  /// One label with its score in nats: −cost/2 + λ ln p.
  struct Scored {
    var token: Int32
    var score: Double
  }

  private let table: LabelTable
  /// K is that of this row: `RowwiseGradient.throughJacobian`, `alongJacobian`.
  private let pass: RowwiseGradient
  private let row: Int
  private let head: OutputHead
  /// g and d, [C].
  private let observed: [Float]
  private let known: [Float]
  private let scale: GradientScale
  private let sigma: Double

  /// How many directions there are beside g and d, how many labels are worked out before more are asked for, and how many at most.
  private typealias Stage = (directions: Int, atFirst: Int, most: Int)
  private static let clean: Stage = (2, 4, 16)
  private static let few: Stage = (12, 32, 128)
  private static let atFirst = 32

  private var compute: Compute { head.compute }

  /// - Parameters:
  ///   - row: of the document that `pass` runs back through; all later ones are committed.
  ///   - observed: the gradient at that row [C].
  ///   - inherited: what the later rows cause there [1, C].
  ///   - mean: Σ_v p_v w_v [1, C].
  init(
    _ table: LabelTable, _ pass: RowwiseGradient, row: Int, _ head: OutputHead, observed: [Float], inherited: Matrix, mean: Matrix,
    scale: GradientScale, sigma: Double
  ) {
    (self.table, self.pass, self.row, self.head, self.observed, self.scale, self.sigma) = (table, pass, row, head, observed, scale, sigma)
    known = zip(inherited.values, pass.throughJacobian(mean, row: row, head).values).map(+)
  }

  /// The best labels first, all that can matter up to `most`. Without noise a predicted label that leaves nothing but rounding, where all other
  /// predictions are far off, is the one: the rest of the vocabulary is not asked.
  /// - Parameters:
  ///   - logPrior: λ ln p of every token [V].
  ///   - isClean: whether nothing but rounding is expected of the true label.
  ///   - share: stop when labels that were not worked out hold less than this of the posterior.
  /// - Returns: labels worked out, best first; ln of the summed exp(bound) of the others.
  func best(logPrior: [Float], isClean: Bool, most: Int, share: Double) -> (labels: [Scored], rest: Double) {
    let predicted = isClean ? largest(min(most, Self.atFirst), of: logPrior) : []
    var found = exact(predicted, logPrior, nil)
    if let only = standingOut(found, logPrior) { return (sorted(found), only.score + log(share)) }
    var known = Set(predicted)
    var directions = Matrix(rows: 0, columns: observed.count)
    // As soon as the labels asked for are many, the whole of K is cheaper than as many rows back through the blocks.
    var jacobian: Matrix?
    var missing = -Double.infinity
    let stages: [Stage] = [Self.few, (table.directions.rows, Self.atFirst, most)]
    for stage in isClean ? [Self.clean] + stages : stages {
      directions = widened(directions, to: stage.directions)
      let bounds = self.bounds(logPrior, directions)
      let total = logSum(bounds)
      let all = min(stage.most, most, bounds.count)
      var asked = min(all, stage.atFirst)
      while true {
        let ids = largest(asked, of: bounds).filter { known.insert($0).inserted }
        if jacobian == nil, found.count + ids.count > observed.count / 2 { jacobian = wholeJacobian }
        found += exact(ids, logPrior, jacobian)
        missing = logSubtract(total, logSum(found.map { bounds[Int($0.token)] }))
        if missing < found.reduce(-Double.infinity, { logAdd($0, $1.score) }) + log(share) { return (sorted(found), missing) }
        if asked == all { break }
        asked = min(all, asked * 4)
      }
    }
    return (sorted(found), missing)
  }

  /// The label that explains the row up to rounding, if all others are far from it: rivals have sixteen times what it may leave.
  private func standingOut(_ labels: [Scored], _ logPrior: [Float]) -> Scored? {
    let costs = labels.map { 2 * (Double(logPrior[Int($0.token)]) - $0.score) }
    guard labels.count > 1, let best = costs.indices.min(by: { costs[$0] < costs[$1] }) else { return nil }
    let limit = CandidateLikelihood.Scale.largestSquare(Double(observed.count))
    let isAlone = costs.indices.allSatisfy { $0 == best || costs[$0] > Self.apart * limit }
    return costs[best] <= limit && isAlone ? labels[best] : nil
  }

  private static let apart = 16.0

  /// The first `count` directions through K, of which `known` are there already.
  private func widened(_ known: Matrix, to count: Int) -> Matrix {
    let rest = table.directions.slice(known.rows..<max(known.rows, min(count, table.directions.rows)))
    return rest.rows == 0 ? known : Matrix(stacking: [known, pass.throughJacobian(rest, row: row, head)])
  }

  private func sorted(_ labels: [Scored]) -> [Scored] {
    labels.sorted { $0.score == $1.score ? $0.token < $1.token : $0.score > $1.score }
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
  func gradient(of token: Int32) -> [Float] { gradients(of: [token], nil).values }

  /// K [C, C].
  private var wholeJacobian: Matrix {
    var unit = Matrix(rows: observed.count, columns: observed.count)
    for c in 0..<observed.count { unit[c, c] = 1 }
    return pass.throughJacobian(unit, row: row, head)
  }

  private func gradients(of ids: [Int32], _ jacobian: Matrix?) -> Matrix {
    let weights = compute.gather(table.weights, rows: ids.map(Int.init)[...])
    var out = jacobian.map { compute.product(weights, $0) } ?? pass.throughJacobian(weights, row: row, head)
    for i in out.values.indices { out.values[i] = -out.values[i] }
    compute.addBias(&out, known)
    return out
  }

  private func exact(_ ids: [Int32], _ logPrior: [Float], _ jacobian: Matrix?) -> [Scored] {
    if ids.isEmpty { return [] }
    let all = gradients(of: ids, jacobian)
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

  /// λ ln p − half the cost within the subspace of `directions`, g and d, of every label [V].
  private func bounds(_ logPrior: [Float], _ directions: Matrix) -> [Float] {
    let space = orthonormal([observed, known] + (0..<directions.rows).map { Array(directions[row: $0]) })
    let basis = Matrix(rows: space.count, columns: observed.count, values: space.flatMap { $0 })
    // P Kᵀ w_v of every label [directions, V]: so few rows go through the head's matrix in one reading of it.
    let moved = compute.linear(pass.alongJacobian(basis, row: row, head), table.weights.values, outputs: table.weights.rows)
    let inverse = 1 / (sigma * sigma)
    let (g, d, labels) = (project(observed, basis), project(known, basis), moved.columns)
    return .filled(labels) { out in
      moved.values.withUnsafeBufferPointer { all in
        compute.parallel(over: labels, grain: 1024) { range in
          for v in range {
            var (dot, square) = (0.0, 0.0)
            for k in g.indices {
              let y = d[k] - Double(all[k * labels + v])
              dot += g[k] * y
              square += y * y
            }
            let alpha = scale.value(with: dot * inverse, square * inverse)
            var residual = 0.0
            for k in g.indices {
              let y = g[k] - alpha * (d[k] - Double(all[k * labels + v]))
              residual += y * y
            }
            let bound = logPrior[v] - Float((scale.cost(of: alpha) + residual * inverse) / 2)
            out[v] = bound.isNaN ? -.greatestFiniteMagnitude : max(bound, -.greatestFiniteMagnitude)
          }
        }
      }
    }
  }

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
