package import Audit
import Checkpoints
import Kernels
import Llama

/// The tokens whose embeddings are nearest to given vectors.
package struct EmbeddingNeighbours: Sendable {
  /// E [V, C] flat.
  let table: [Float]
  let width: Int
  private let mean: [Float]
  /// 1/‖e − mean‖ of every token, and a mask: −∞ for tokens that never occur in text.
  private let inverse: [Float]
  private let mask: [Float]
  /// E in bf16, for a first look at all tokens; nil where the CPU has no bf16 products.
  private let coarse: [UInt16]?
  private let compute: Compute
  let statistics: Statistics

  /// The model's table, prepared once per run.
  package static func of(_ means: AttackerMeans) -> EmbeddingNeighbours {
    means.memory.table("embedding-neighbours") { EmbeddingNeighbours(means) }
  }

  private init(_ means: AttackerMeans) {
    compute = means.model.compute
    table = means.model.embedding.values(compute)
    width = means.model.configuration.hiddenSize
    let rows = Matrix(rows: table.count / width, columns: width, values: table)
    let mean = columnMeans(rows)
    let meanSquare = mean.reduce(0) { $0 + $1 * $1 }
    var (inverse, mask) = ([Float](), [Float]())
    var (low, high, spread) = (mean, mean, 0.0)
    for r in 0..<rows.rows {
      let (square, dot) = zip(rows[row: r], mean).reduce((Float(0), Float(0))) { ($0.0 + $1.0 * $1.0, $0.1 + $1.0 * $1.1) }
      let length = max((square - 2 * dot + meanSquare).squareRoot(), 1e-12)
      inverse.append(1 / length)
      spread += Double(length * length)
      for (c, x) in rows[row: r].enumerated() { (low[c], high[c]) = (min(low[c], x), max(high[c], x)) }
      mask.append(means.excluded.contains(Int32(r)) ? -.infinity : 0)
    }
    statistics = Statistics(low: low, high: high, variance: max(1e-12, Float(spread / Double(table.count))))
    (self.mean, self.inverse, self.mask) = (mean, inverse, mask)
    coarse = Compute.hasBF16Products ? BF16.narrowed(table, compute) : nil
  }

  /// Rows `ids` of the table, [ids, C].
  func vectors(_ ids: [Int32]) -> Matrix {
    Matrix(rows: ids.count, columns: width, values: ids.flatMap { table[Int($0) * width..<(Int($0) + 1) * width] })
  }

  /// Mean embedding [C].
  package var center: [Float] { mean }

  /// Least and largest value of every dimension [C], and the mean over dimensions of an embedding's variance.
  struct Statistics: Sendable {
    var low: [Float]
    var high: [Float]
    var variance: Float
  }

  /// Vectors worked on at once: a row of scores is as wide as the vocabulary.
  private static let batch = 256
  /// Tokens that a look in bf16 passes on for each one that is wanted, and some more; their cosines are computed again in f32.
  private static func shortlist(_ count: Int) -> Int { 2 * count + 14 }

  /// The `count` nearest tokens of every row by the cosine between centred vectors, nearest first: cos(x − m, e − m), m the mean embedding.
  func nearest(_ x: Matrix, count: Int) -> [[Int32]] {
    var found: [[Int32]] = []
    for first in stride(from: 0, to: x.rows, by: Self.batch) {
      var part = x.slice(first..<min(first + Self.batch, x.rows))
      compute.addBias(&part, mean.map { -$0 })
      let scores =
        coarse.map { rough in rough.withUnsafeBufferPointer { compute.linear(part, bf16: $0.baseAddress!, outputs: mask.count) } }
        ?? compute.linear(part, table, outputs: mask.count)
      for r in 0..<part.rows {
        // (x − m)·(e − m) = (x − m)·e − (x − m)·m; the second term is one number a row.
        let shift = zip(part[row: r], mean).reduce(0) { $0 + $1.0 * $1.1 }
        let cosines = [Float].filled(mask.count) { out in
          for (v, dot) in scores[row: r].enumerated() { out[v] = (dot - shift) * inverse[v] + mask[v] }
        }
        guard coarse != nil else {
          found.append(largest(count, of: cosines))
          continue
        }
        let listed = largest(Self.shortlist(count), of: cosines)
        let exact = listed.map { id -> Float in
          let e = table[Int(id) * width..<(Int(id) + 1) * width]
          return (zip(part[row: r], e).reduce(0) { $0 + $1.0 * $1.1 } - shift) * inverse[Int(id)] + mask[Int(id)]
        }
        found.append(largest(count, of: exact).map { listed[Int($0)] })
      }
    }
    return found
  }
}
