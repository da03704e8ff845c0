import Kernels

/// A function of a hidden state that an adversary observes in place of the state: keys and values of the next block, sorted coordinates. Candidates'
/// states go through it before they are compared.
package struct StateFeature: Sendable {
  /// Names tables that are kept between cells.
  let name: String
  /// [B, C] → [B, observed columns]; rows are independent.
  let apply: @Sendable (Matrix, Compute) -> Matrix

  /// Coordinates in rising order: what a secret order of the channels leaves.
  static let sorted = StateFeature(name: "sorted") { states, compute in
    var out = states
    let columns = states.columns
    out.values.withUnsafeMutableBufferPointer { buffer in
      nonisolated(unsafe) let values = buffer
      compute.parallel(over: states.rows, grain: 64) { rows in
        for r in rows {
          var row = values[r * columns..<(r + 1) * columns]
          row.sort()
        }
      }
    }
    return out
  }

  private static let rowsAtOnce = 2048

  /// The same for many rows, a part of them at a time.
  func applyInParts(_ states: Matrix, _ compute: Compute) -> Matrix {
    var values: [Float] = []
    var columns = 0
    for start in stride(from: 0, to: states.rows, by: Self.rowsAtOnce) {
      let part = apply(states.slice(start..<min(start + Self.rowsAtOnce, states.rows)), compute)
      columns = part.columns
      values += part.values
    }
    return Matrix(rows: states.rows, columns: columns, values: values)
  }
}
