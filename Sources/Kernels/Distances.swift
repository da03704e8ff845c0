extension Compute {
  /// Σ_c |x[i, c] − y[target[i], c]| for every row i of `x` [B, C]; `y` [any, C].
  package func absoluteDistances(_ x: Matrix, to y: Matrix, target: [Int32]) -> [Float] {
    rowSums(x, y, target) { abs($0 - $1) }
  }

  /// Σ_c max(0, |x[i, c] − y[target[i], c]| − half)²: how far x lies outside the bins of width 2·half around y.
  package func binDistances(_ x: Matrix, to y: Matrix, target: [Int32], half: Float) -> [Float] {
    rowSums(x, y, target) { a, b in
      let outside = max(0, abs(a - b) - half)
      return outside * outside
    }
  }

  /// Distance from x to the states whose largest coordinates are y and whose others were set to 0: squared differences where y ≠ 0; where y = 0,
  /// what |x| exceeds the smallest kept magnitude by, squared.
  package func sparseDistances(_ x: Matrix, to y: Matrix, target: [Int32]) -> [Float] {
    let smallest = (0..<y.rows).map { r in y[row: r].reduce(Float.infinity) { $1 == 0 ? $0 : min($0, abs($1)) } }
    precondition(y.columns == x.columns && target.count == x.rows, "[\(x.rows), \(x.columns)] against [\(y.rows), \(y.columns)]")
    return .filled(x.rows) { out in
      parallel(over: x.rows, grain: 64) { rows in
        for i in rows {
          let bound = smallest[Int(target[i])]
          var sum: Float = 0
          for (a, b) in zip(x[row: i], y[row: Int(target[i])]) {
            let d = b == 0 ? max(0, abs(a) - bound) : a - b
            sum += d * d
          }
          out[i] = sum
        }
      }
    }
  }

  private func rowSums(_ x: Matrix, _ y: Matrix, _ target: [Int32], _ term: (Float, Float) -> Float) -> [Float] {
    precondition(y.columns == x.columns && target.count == x.rows, "[\(x.rows), \(x.columns)] against [\(y.rows), \(y.columns)]")
    precondition(target.allSatisfy { $0 >= 0 && $0 < y.rows }, "a target row outside 0..<\(y.rows)")
    return withoutActuallyEscaping(term) { term in
      .filled(x.rows) { out in
        parallel(over: x.rows, grain: 64) { rows in
          for i in rows {
            var sum: Float = 0
            for (a, b) in zip(x[row: i], y[row: Int(target[i])]) { sum += term(a, b) }
            out[i] = sum
          }
        }
      }
    }
  }
}
