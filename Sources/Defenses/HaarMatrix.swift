import Kernels

/// Orthogonal matrices drawn uniformly (from the Haar measure), by Householder reflections of Gaussian vectors (Stewart 1980).
enum HaarMatrix {
  /// [n, n] row-major, orthogonal to double precision. A pure function of `random`; draws k normal values at item k for k in 1...n.
  static func drawn(_ n: Int, _ random: CounterRandom) -> [Double] {
    var q = [Double](repeating: 0, count: n * n)
    for i in 0..<n { q[i * n + i] = 1 }
    var image = [Double](repeating: 0, count: n)
    // From the last coordinate up: if the trailing block of order k - 1 is uniform, a reflection that takes the first axis of the block of order k to a
    // uniform direction leaves that block uniform too.
    for k in stride(from: 1, through: n, by: 1) {
      var v = random.normals(item: UInt64(k), count: k)
      let sign: Double = v[0] < 0 ? -1 : 1
      let length = v.reduce(0) { $0 + $1 * $1 }.squareRoot()
      // Adding, never cancelling: v stays long.
      v[0] += sign * length
      let scale = 2 / v.reduce(0) { $0 + $1 * $1 }
      let first = n - k
      q.withUnsafeMutableBufferPointer { q in
        for c in first..<n { image[c] = 0 }
        for r in 0..<k { for c in first..<n { image[c] += v[r] * q[(first + r) * n + c] } }
        for r in 0..<k { for c in first..<n { q[(first + r) * n + c] = -sign * (q[(first + r) * n + c] - scale * v[r] * image[c]) } }
      }
    }
    return q
  }
}
