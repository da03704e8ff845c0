package import Kernels
import Llama

/// X = m + Z W: free embeddings [N, C] in coordinates where the vocabulary has mean 0 and variance 1, kept near it by a ridge on Z, optionally by
/// a pull towards the nearest embedding and by the box that all embeddings lie in.
package struct FreeEmbeddings: EmbeddingParametrisation {
  /// Z [N, C] flat.
  package var values: [Float]
  private let rows: Int
  private let frame: EmbeddingFrame
  private let neighbours: EmbeddingNeighbours
  /// Weight of ½ Σ z².
  private let ridge: Float
  /// Weight of ½ Σ (x − nearest)²/u, u the mean variance of an embedding's coordinate; 0 for none.
  private let penalty: Float
  private let box: Bool
  /// The nearest embeddings [N, C], as of the last refresh.
  private var attractors: Matrix?
  private var current: Matrix
  private var steps = 0
  /// Steps between searches for the nearest embeddings: a search costs more than a step.
  private static let refresh = 20

  /// Starts at the mean embedding.
  package init(rows: Int, frame: EmbeddingFrame, neighbours: EmbeddingNeighbours, ridge: Float, penalty: Float, box: Bool) {
    (self.rows, self.frame, self.neighbours, self.ridge, self.box) = (rows, frame, neighbours, ridge, box)
    self.penalty = penalty / neighbours.statistics.variance
    values = [Float](repeating: 0, count: rows * neighbours.width)
    current = Matrix(rows: 0, columns: neighbours.width)
  }

  private var z: Matrix { Matrix(rows: rows, columns: neighbours.width, values: values) }

  /// X [N, C].
  package func found(_ compute: Compute) -> Matrix { frame.embeddings(z, compute) }

  package mutating func embeddings(_ compute: Compute) -> Matrix {
    current = found(compute)
    return current
  }

  package func gradient(_ dX: Matrix, _ compute: Compute) -> (values: [Float], penalty: Double) {
    var (dX, nats) = (dX, 0.0)
    if let attractors {
      for i in dX.values.indices {
        let away = current.values[i] - attractors.values[i]
        dX.values[i] += penalty * away
        nats += Double(penalty * away * away / 2)
      }
    }
    var gradient = frame.gradient(dX, compute).values
    for i in gradient.indices {
      gradient[i] += ridge * values[i]
      nats += Double(ridge * values[i] * values[i] / 2)
    }
    return (gradient, nats)
  }

  package mutating func stepped(_ done: Double, _ compute: Compute) {
    steps += 1
    let refreshes = penalty > 0 && steps % Self.refresh == 0
    guard box || refreshes else { return }
    var x = found(compute)
    if box {
      let (low, high, width) = (neighbours.statistics.low, neighbours.statistics.high, neighbours.width)
      var moved = Matrix(rows: rows, columns: width)
      var isOutside = false
      for r in 0..<rows {
        for c in 0..<width {
          let value = x.values[r * width + c]
          let inside = min(high[c], max(low[c], value))
          if inside != value {
            moved.values[r * width + c] = inside - value
            x.values[r * width + c] = inside
            isOutside = true
          }
        }
      }
      if isOutside {
        let back = frame.coordinates(moved, compute)
        for i in values.indices { values[i] += back.values[i] }
      }
    }
    if refreshes { attractors = neighbours.vectors(neighbours.nearest(x, count: 1).map { $0[0] }) }
  }
}

/// An affine frame of embedding space, X = m + Z W.
package struct EmbeddingFrame: Sendable {
  /// m [C].
  private let center: [Float]
  /// W [C, C], or nil for a multiple of the identity, and its inverse.
  private let axes: (forward: Matrix, back: Matrix)?
  private let scale: Float

  /// - Parameter whitened: the principal axes of the embedding table, each in units of its deviation; else the coordinates as they are, in
  ///   units of their mean deviation.
  package init(_ neighbours: EmbeddingNeighbours, whitened: Bool, _ compute: Compute) {
    (center, scale) = (neighbours.center, neighbours.statistics.variance.squareRoot())
    guard whitened else {
      axes = nil
      return
    }
    let c = neighbours.width
    var (variances, forward, _) = principalAxes(neighbours.table, width: c, compute)
    let least = max(variances[0] * 1e-6, 1e-20)
    variances = variances.map { max($0, least) }
    var back = Matrix(rows: c, columns: c)
    for i in 0..<c {
      let deviation = variances[i].squareRoot()
      for j in 0..<c {
        back[j, i] = forward[i, j] / deviation
        forward[i, j] *= deviation
      }
    }
    axes = (forward, back)
  }

  /// m + Z W.
  func embeddings(_ z: Matrix, _ compute: Compute) -> Matrix {
    var x = axes.map { compute.product(z, $0.forward) } ?? z.scaled(by: scale)
    compute.addBias(&x, center)
    return x
  }

  /// dZ = dX Wᵀ.
  func gradient(_ dX: Matrix, _ compute: Compute) -> Matrix {
    axes.map { compute.product(dX, $0.forward, transposeB: true) } ?? dX.scaled(by: scale)
  }

  /// What a displacement of X is in Z.
  func coordinates(_ moved: Matrix, _ compute: Compute) -> Matrix {
    axes.map { compute.product(moved, $0.back) } ?? moved.scaled(by: 1 / scale)
  }
}

extension Matrix {
  func scaled(by factor: Float) -> Matrix { Matrix(rows: rows, columns: columns, values: values.map { $0 * factor }) }
}
