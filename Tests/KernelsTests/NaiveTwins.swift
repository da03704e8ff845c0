import Foundation
import Kernels

/// The kernels as a textbook writes them, in double precision: what the fast ones are compared with.
enum Naive {
  /// Y = X Wᵀ.
  static func linear(_ x: Matrix, _ w: [Float], outputs: Int) -> [Double] {
    (0..<x.rows).flatMap { r in
      (0..<outputs).map { o in (0..<x.columns).reduce(0.0) { $0 + Double(x[r, $1]) * Double(w[o * x.columns + $1]) } }
    }
  }

  static func rmsNorm(_ x: Matrix, weight: [Float], epsilon: Float) -> [Double] {
    (0..<x.rows).flatMap { r -> [Double] in
      let mean = x[row: r].reduce(0.0) { $0 + Double($1) * Double($1) } / Double(x.columns)
      return x[row: r].enumerated().map { Double($1) / (mean + Double(epsilon)).squareRoot() * Double(weight[$0]) }
    }
  }

  static func swiglu(_ gate: Matrix, _ up: Matrix) -> [Double] {
    zip(gate.values, up.values).map { Double($0) / (1 + exp(-Double($0))) * Double($1) }
  }

  /// Causal grouped-query attention of queries at positions past… over keys and values [past + T, G·D]; [T, H·D].
  static func attention(_ q: Matrix, keys: [Float], values: [Float], past: Int, shape: AttentionShape) -> [Double] {
    let (d, width) = (shape.dimension, shape.groups * shape.dimension)
    return (0..<q.rows).flatMap { t in
      (0..<shape.heads).flatMap { h -> [Double] in
        let g = h / (shape.heads / shape.groups)
        let scores = (0...past + t).map { s in
          (0..<d).reduce(0.0) { $0 + Double(q[t, h * d + $1]) * Double(keys[s * width + g * d + $1]) } / Double(d).squareRoot()
        }
        let weights = scores.map { exp($0 - scores.max()!) }
        let total = weights.reduce(0, +)
        return (0..<d).map { c in (0...past + t).reduce(0.0) { $0 + weights[$1] / total * Double(values[$1 * width + g * d + c]) } }
      }
    }
  }
}

/// Seeded normal values.
func normal(_ count: Int, _ item: UInt64, scale: Double = 1) -> [Float] {
  CounterRandom(seed: 7, stream: "test").normals(item: item, count: count).map { Float($0 * scale) }
}

func difference(_ found: [Float], _ exact: [Double]) -> Double {
  precondition(found.count == exact.count)
  return zip(found, exact).reduce(0) { max($0, abs(Double($1.0) - $1.1)) }
}
