/// A dense row-major matrix of `Float`: `rows` tokens by `columns` channels, without padding.
package struct Matrix: Sendable, Equatable {
  package let rows: Int
  package let columns: Int
  /// `rows * columns` values, row after row.
  package var values: [Float]

  /// Zeros.
  package init(rows: Int, columns: Int) {
    self.init(rows: rows, columns: columns, values: [Float](repeating: 0, count: rows * columns))
  }

  /// Takes `values`; traps unless there are `rows * columns` of them.
  package init(rows: Int, columns: Int, values: [Float]) {
    precondition(rows >= 0 && columns >= 0 && values.count == rows * columns, "\(values.count) values are no [\(rows), \(columns)]")
    (self.rows, self.columns, self.values) = (rows, columns, values)
  }

  /// The values of row `r`.
  package subscript(row r: Int) -> ArraySlice<Float> {
    get { values[r * columns..<(r + 1) * columns] }
    set { values.replaceSubrange(r * columns..<(r + 1) * columns, with: newValue) }
  }

  package subscript(r: Int, c: Int) -> Float {
    get { values[r * columns + c] }
    set { values[r * columns + c] = newValue }
  }

  /// A copy of the rows in `range`.
  package func slice(_ range: Range<Int>) -> Matrix {
    Matrix(rows: range.count, columns: columns, values: Array(values[range.lowerBound * columns..<range.upperBound * columns]))
  }

  /// Matrices of as many columns under each other; at least one.
  package init(stacking parts: [Matrix]) {
    precondition(!parts.isEmpty && parts.allSatisfy { $0.columns == parts[0].columns }, "parts of different widths")
    self =
      parts.count == 1
      ? parts[0] : Matrix(rows: parts.reduce(0) { $0 + $1.rows }, columns: parts[0].columns, values: parts.flatMap(\.values))
  }
}
