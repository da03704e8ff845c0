import Kernels
import Llama

/// What stands between the observed states and the decoder's first block: channels are centred and scaled by robust statistics, clamped (the
/// first position's massive channels are thousands of deviations wide), and mapped affinely. The map is trained with the decoder.
struct InputMap: Sendable {
  /// Deviations beyond which a channel is clamped.
  static let bound: Float = 8

  /// [C] each, fixed.
  let centre: [Float]
  let scale: [Float]
  /// [C, C] and [C], trained.
  var weight: Matrix
  var bias: [Float]

  /// z = clamp((y − centre) / scale), [N, C].
  func standardised(_ y: Matrix, _ compute: Compute) -> Matrix {
    precondition(y.columns == centre.count, "\(y.columns) channels for a map of \(centre.count)")
    let (centre, inverse, columns) = (centre, scale.map { 1 / $0 }, y.columns)
    return y.values.withUnsafeBufferPointer { y_ in
      Matrix(rows: y.rows, columns: columns) { out in
        compute.parallel(over: y.rows, grain: 64) { rows in
          for r in rows {
            for c in 0..<columns {
              out[r * columns + c] = max(-Self.bound, min(Self.bound, (y_[r * columns + c] - centre[c]) * inverse[c]))
            }
          }
        }
      }
    }
  }

  /// x = z Wᵀ + b, [N, C].
  func apply(_ z: Matrix, _ compute: Compute) -> Matrix {
    var x = compute.product(z, weight, transposeB: true)
    compute.addBias(&x, bias)
    return x
  }

  /// Gradients of weight and bias, given that of `apply` at z.
  func gradients(_ z: Matrix, dx: Matrix, _ compute: Compute) -> (weight: Matrix, bias: [Float]) {
    (compute.product(dx, z, transposeA: true), columnMeans(dx).map { $0 * Float(dx.rows) })
  }

  /// Median and 1.4826 · median absolute deviation of every channel, from at most 4,096 rows. [C] each.
  static func robustStatistics(_ y: Matrix) -> (centre: [Float], scale: [Float]) {
    let step = max(1, y.rows / 4096)
    var (centre, scale) = ([Float](), [Float]())
    for c in 0..<y.columns {
      let values = stride(from: 0, to: y.rows, by: step).map { y[$0, c] }.sorted()
      let median = values[values.count / 2]
      let deviations = values.map { abs($0 - median) }.sorted()
      centre.append(median)
      scale.append(max(1e-6, 1.4826 * deviations[deviations.count / 2]))
    }
    return (centre, scale)
  }

  /// Ridge regression from standardised states to what the head reads best of each token: u(v) = (EᵀE/V + λI)⁻¹ e_v scaled to unit RMS, E being
  /// the head's rows: among all directions of a length, the one on which token v stands out most from the others on average.
  /// - Parameters:
  ///   - batches: observed states and their tokens.
  ///   - head: [V, C].
  init(regressing batches: [DecoderPairs.Observed], head: Weight, _ compute: Compute) {
    let width = head.columns
    let all = batches.flatMap { $0.states.values }
    (centre, scale) = Self.robustStatistics(Matrix(rows: all.count / width, columns: width, values: all))
    (weight, bias) = (Matrix(rows: width, columns: width), [Float](repeating: 0, count: width))

    let whitening = Self.whitening(head, compute)
    var normal = NormalEquations(inputs: width + 1, outputs: width)
    for batch in batches {
      let z = compute.joined([
        standardised(batch.states, compute),
        Matrix(rows: batch.tokens.count, columns: 1, values: batch.tokens.map { _ in 1 }),
      ])
      var targets = compute.product(head.gather(batch.tokens), whitening)
      for r in 0..<targets.rows {
        let rms = (targets[row: r].reduce(0) { $0 + $1 * $1 } / Float(width)).squareRoot()
        for c in 0..<width { targets[r, c] /= max(rms, 1e-12) }
      }
      normal.add(z, targets, compute)
    }
    let solution = normal.solution(ridge: 1e-3)  // [C + 1, C]
    for o in 0..<width {
      for i in 0..<width { weight[o, i] = Float(solution[i * width + o]) }
      bias[o] = Float(solution[width * width + o])
    }
  }

  /// A map from its tensors.
  init(centre: [Float], scale: [Float], weight: Matrix, bias: [Float]) {
    (self.centre, self.scale, self.weight, self.bias) = (centre, scale, weight, bias)
  }

  /// (EᵀE/V + λI)⁻¹, symmetric [C, C], λ = 1 % of the mean eigenvalue.
  private static func whitening(_ head: Weight, _ compute: Compute) -> Matrix {
    let width = head.columns
    var normal = NormalEquations(inputs: width, outputs: width)
    for start in stride(from: 0, to: head.rows, by: 4096) {
      let rows = head.gather((start..<min(start + 4096, head.rows)).map(Int32.init))
      normal.add(rows, nil, compute)
    }
    normal.setIdentityTargets()
    return Matrix(rows: width, columns: width, values: normal.solution(ridge: 1e-2).map { Float($0) })
  }
}
