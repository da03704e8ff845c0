import CKernels
import Foundation

/// Cosines and sines of rotary position embeddings (Su et al. 2021) for the rows of a packed batch, [B, D/2] each.
package struct RotaryTable: Sendable {
  package let rows: Int
  package let half: Int
  let cosines: [Float]
  let sines: [Float]

  /// Angles position · frequency[i], computed in double precision as the reference implementations do in f32: cos and sin of the f32 product.
  /// - Parameters:
  ///   - positions: absolute position of each row.
  ///   - frequencies: [D/2] radians per position.
  package init(positions: [Int], frequencies: [Float]) {
    (rows, half) = (positions.count, frequencies.count)
    var (c, s) = ([Float](), [Float]())
    c.reserveCapacity(rows * half)
    s.reserveCapacity(rows * half)
    var previous: (position: Int, start: Int)? = nil
    for position in positions {
      if let last = previous, last.position == position {
        c.append(contentsOf: c[last.start..<last.start + half])
        s.append(contentsOf: s[last.start..<last.start + half])
      } else {
        for frequency in frequencies {
          let angle = Double(Float(position) * frequency)
          c.append(Float(cos(angle)))
          s.append(Float(sin(angle)))
        }
      }
      previous = (position, c.count - half)
    }
    (cosines, sines) = (c, s)
  }
}

extension Compute {
  /// Rotates the halves of every head in place: (a, b) → (a cos − b sin, b cos + a sin). `x` [B, heads · D].
  package func rotate(_ x: inout Matrix, heads: Int, by table: RotaryTable) {
    precondition(
      table.rows == x.rows && heads * table.half * 2 == x.columns,
      "rotary table [\(table.rows), \(table.half)] for [\(x.rows), \(x.columns)]")
    let rows = x.rows
    x.values.withUnsafeMutableBufferPointer { x_ in
      if let base = x_.baseAddress {
        fs_rope(Int32(rows), Int32(heads), Int32(table.half * 2), base, table.cosines, table.sines, Int32(threads))
      }
    }
  }
}
