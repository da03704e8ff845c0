import Foundation
package import Kernels
import Llama

/// X = softmax(Z/τ) E over a list of K candidates per position: the relaxed vocabulary.
package struct SoftTokens: EmbeddingParametrisation {
  /// Z [N, K] flat.
  package var values: [Float]
  /// [N, K] flat.
  package let candidates: [Int32]
  package let count: Int
  /// τ falls geometrically from the first to the second.
  package let temperatures: (first: Float, last: Float)
  private let table: [Float]
  private let width: Int
  private(set) var temperature: Float
  private var weights: Matrix
  /// −λ ln q of every candidate [N, K], nats; nil without a prior.
  package var cost: Matrix?
  /// Asked for new costs, given the argmax of every row, when the shares `refreshes` of the steps are done.
  private let prior: (@Sendable ([Int32]) -> Matrix)?
  private var refreshes: [Double]

  /// - Parameters:
  ///   - values: Z at the start, [N, K] flat.
  ///   - table: E [V, width] flat.
  ///   - prior: −λ ln q [N, K] of the candidates, given the tokens decoded so far.
  package init(
    values: [Float], candidates: [Int32], count: Int, temperatures: (first: Float, last: Float), table: [Float], width: Int,
    cost: Matrix? = nil, refreshes: [Double] = [], prior: (@Sendable ([Int32]) -> Matrix)? = nil
  ) {
    precondition(values.count == candidates.count && values.count % count == 0, "\(values.count) values for lists of \(count)")
    (self.values, self.candidates, self.count, self.temperatures) = (values, candidates, count, temperatures)
    (self.table, self.width, self.cost, self.refreshes, self.prior) = (table, width, cost, refreshes, prior)
    temperature = temperatures.first
    weights = Matrix(rows: 0, columns: count)
  }

  private var rows: Int { values.count / count }

  package mutating func embeddings(_ compute: Compute) -> Matrix {
    let z = Matrix(rows: rows, columns: count, values: values)
    let (weights, mixed) = compute.mixture(z, ids: candidates, temperature: temperature, table: table, columns: width)
    self.weights = weights
    return mixed
  }

  /// X [N, C] of the current values.
  package func found(_ compute: Compute) -> Matrix {
    let z = Matrix(rows: rows, columns: count, values: values)
    return compute.mixture(z, ids: candidates, temperature: temperature, table: table, columns: width).mixed
  }

  package func gradient(_ dX: Matrix, _ compute: Compute) -> (values: [Float], penalty: Double) {
    let dz = compute.mixtureBackward(weights, ids: candidates, temperature: temperature, table: table, dMixed: dX, cost: cost)
    let penalty = cost.map { zip($0.values, weights.values).reduce(0.0) { $0 + Double($1.0 * $1.1) } } ?? 0
    return (dz.values, penalty)
  }

  package mutating func stepped(_ done: Double, _ compute: Compute) {
    temperature = temperatures.first * powf(temperatures.last / temperatures.first, Float(min(1, done)))
    if let next = refreshes.first, done >= next, let prior {
      refreshes.removeFirst()
      cost = prior(tokens)
    }
  }

  /// argmax Z of every row.
  package var tokens: [Int32] {
    (0..<rows).map { r in candidates[r * count + Int(argmax(values[r * count..<(r + 1) * count]))] }
  }
}
