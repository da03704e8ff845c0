import Audit
import Foundation
import Kernels

/// What a position's attention says of it, from maps alone: for every recorded head how much it attends to itself, to the three positions before it and
/// to the first, the entropy of its row, and how much later positions attend to it, on average and at most. The last two columns are the position, and 1 at a text's last.
enum MapFeatures {
  private static let perHead = 8

  /// - Parameters:
  ///   - maps: rows of `Channel.attentionMaps`, [N, heads · longest] for `heads` heads of all blocks together.
  ///   - offsets: of documents, as in a view.
  /// - Returns: [N, 8 · heads + 2], of the order of 1.
  static func features(_ maps: Matrix, offsets: [Int], heads: Int, longest: Int) -> Matrix {
    precondition(maps.columns == heads * longest, "\(maps.columns) columns for \(heads) heads of \(longest)")
    var out = Matrix(rows: maps.rows, columns: perHead * heads + 2)
    for (start, end) in zip(offsets, offsets.dropFirst()) {
      let count = end - start
      for t in 0..<count {
        let row = (start + t) * maps.columns
        for head in 0..<heads {
          func attention(_ from: Int, _ to: Int) -> Float { maps.values[(start + from) * maps.columns + head * longest + to] }
          var entropy: Float = 0
          for j in 0...t {
            let p = maps.values[row + head * longest + j]
            if p > 0 { entropy -= p * log(p) }
          }
          var (received, most): (Float, Float) = (0, 0)
          for s in t + 1..<max(count, t + 1) {
            received += attention(s, t)
            most = max(most, attention(s, t))
          }
          let values = [
            level(attention(t, t)), t > 0 ? level(attention(t, t - 1)) : 0, t > 1 ? level(attention(t, t - 2)) : 0,
            t > 2 ? level(attention(t, t - 3)) : 0, level(attention(t, 0)), entropy,
            t + 1 < count ? level(received / Float(count - t - 1)) : 0, t + 1 < count ? level(most) : 0,
          ]
          for (k, value) in values.enumerated() { out[start + t, head * perHead + k] = value }
        }
        out[start + t, perHead * heads] = position(t)
        out[start + t, perHead * heads + 1] = isLast(t, of: count)
      }
    }
    return out
  }

  /// The same with everything but position and end set to nothing: for the control that knows where a token stands and no map.
  static func positions(lengths: [Int], heads: Int) -> Matrix {
    var out = Matrix(rows: lengths.reduce(0, +), columns: perHead * heads + 2)
    var row = 0
    for count in lengths {
      for t in 0..<count {
        (out[row, perHead * heads], out[row, perHead * heads + 1]) = (position(t), isLast(t, of: count))
        row += 1
      }
    }
    return out
  }

  private static func level(_ p: Float) -> Float { log(p + 1e-3) / 3 + 1 }
  private static func position(_ t: Int) -> Float { log(Float(t + 1)) / 2 - 1 }
  private static func isLast(_ t: Int, of count: Int) -> Float { count > t + 1 ? 0 : 1 }
}
