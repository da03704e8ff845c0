import CKernels
import Foundation

/// Cosines and sines of rotary position embeddings (Su et al. 2021) for the rows of a packed batch; rows at the same position share theirs.
package struct RotaryTable: Sendable {
  package let half: Int
  /// [distinct positions, D/2] each.
  let cosines: [Float]
  let sines: [Float]
  /// Row of `cosines` and `sines` for each row of the batch, [B].
  let angle: [Int32]

  package var rows: Int { angle.count }

  /// Angles position · frequency[i] in f32, as the reference implementations have them; their cosines and sines in double precision.
  /// - Parameters:
  ///   - positions: absolute position of each row.
  ///   - frequencies: [D/2] radians per position.
  package init(positions: [Int], frequencies: [Float]) {
    half = frequencies.count
    var entries: [Int: Int32] = [:]
    var (c, s) = ([Float](), [Float]())
    angle = positions.map { position in
      if let known = entries[position] { return known }
      for frequency in frequencies {
        let radians = Double(Float(position) * frequency)
        c.append(Float(cos(radians)))
        s.append(Float(sin(radians)))
      }
      let entry = Int32(entries.count)
      entries[position] = entry
      return entry
    }
    (cosines, sines) = (c, s)
  }
}

extension RotaryTable {
  private init(half: Int, cosines: [Float], sines: [Float], angle: [Int32]) {
    (self.half, self.cosines, self.sines, self.angle) = (half, cosines, sines, angle)
  }

  /// The rotation back: the transpose, which gradients go through.
  package var inverse: RotaryTable { RotaryTable(half: half, cosines: cosines, sines: sines.map { -$0 }, angle: angle) }
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
        fs_rope(Int32(rows), Int32(heads), Int32(table.half * 2), base, table.cosines, table.sines, table.angle, Int32(threads))
      }
    }
  }
}
