package import Kernels

/// y = max(x, 0), any shape.
package enum ReLULayer {
  package static func forward(_ x: Matrix) -> Matrix {
    Matrix(rows: x.rows, columns: x.columns, values: x.values.map { max($0, 0) })
  }

  /// Gradient of the input, given that of the output `y`, which tells where the input was positive.
  package static func backward(_ dy: Matrix, output y: Matrix) -> Matrix {
    precondition(dy.values.count == y.values.count, "gradient [\(dy.rows), \(dy.columns)] of an output [\(y.rows), \(y.columns)]")
    return Matrix(rows: dy.rows, columns: dy.columns, values: zip(dy.values, y.values).map { $1 > 0 ? $0 : 0 })
  }
}
