extension Compute {
  /// Rows copied at a time.
  private static let grain = 64

  /// The columns of `x` [B, sum of widths] as matrices side by side.
  package func split(_ x: Matrix, widths: [Int]) -> [Matrix] {
    precondition(widths.reduce(0, +) == x.columns, "\(widths) columns of \(x.columns)")
    var first = 0
    return widths.map { width in
      defer { first += width }
      return x.values.withUnsafeBufferPointer { source in
        Matrix(rows: x.rows, columns: width) { out in
          parallel(over: x.rows, grain: Self.grain) { rows in
            for r in rows { (out + r * width).update(from: source.baseAddress! + r * x.columns + first, count: width) }
          }
        }
      }
    }
  }

  /// Matrices of the same number of rows, side by side: [B, sum of their columns].
  package func joined(_ parts: [Matrix]) -> Matrix {
    let (rows, columns) = (parts[0].rows, parts.reduce(0) { $0 + $1.columns })
    precondition(parts.allSatisfy { $0.rows == rows }, "parts of different lengths")
    return Matrix(rows: rows, columns: columns) { out in
      var first = 0
      for part in parts {
        part.values.withUnsafeBufferPointer { source in
          parallel(over: rows, grain: Self.grain) { range in
            for r in range { (out + r * columns + first).update(from: source.baseAddress! + r * part.columns, count: part.columns) }
          }
        }
        first += part.columns
      }
    }
  }

  /// Rows `indices` of `x`, in that order: [indices, C].
  package func gather(_ x: Matrix, rows indices: ArraySlice<Int>) -> Matrix {
    precondition(indices.allSatisfy { $0 >= 0 && $0 < x.rows }, "a row outside 0..<\(x.rows)")
    let base = indices.startIndex
    return x.values.withUnsafeBufferPointer { source in
      Matrix(rows: indices.count, columns: x.columns) { out in
        parallel(over: indices.count, grain: Self.grain) { range in
          for i in range {
            (out + i * x.columns).update(from: source.baseAddress! + indices[base + i] * x.columns, count: x.columns)
          }
        }
      }
    }
  }

  /// x[indices[i]] ← y[i].
  package func scatter(_ y: Matrix, into x: inout Matrix, rows indices: ArraySlice<Int>) {
    precondition(y.rows == indices.count && indices.allSatisfy { $0 >= 0 && $0 < x.rows } && y.columns == x.columns, "shapes differ")
    let columns = y.columns
    x.values.withUnsafeMutableBufferPointer { out in
      y.values.withUnsafeBufferPointer { source in
        for (i, row) in indices.enumerated() {
          (out.baseAddress! + row * columns).update(from: source.baseAddress! + i * columns, count: columns)
        }
      }
    }
  }
}
