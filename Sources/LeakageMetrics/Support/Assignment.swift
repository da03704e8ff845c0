/// The assignment problem: rows to columns, each used once, with the greatest sum of values.
package enum Assignment {
  /// Column of each row of a square matrix of finite values. Kuhn's method with potentials: rows enter one by one, each along the shortest
  /// augmenting path; O(n³). Of several best assignments any one.
  package static func best(_ values: [[Double]]) -> [Int] {
    let n = values.count
    precondition(values.allSatisfy { $0.count == n }, "the matrix must be square")
    guard n > 1 else { return Array(0..<n) }
    // Column n holds the row that is being placed. Reduced cost −values[r][c] − rows[r] − columns[c] ≥ 0, 0 along the assignment.
    var (rows, columns) = ([Double](repeating: 0, count: n), [Double](repeating: 0, count: n + 1))
    var owner = [Int?](repeating: nil, count: n + 1)
    for row in 0..<n {
      owner[n] = row
      var distance = [Double](repeating: .infinity, count: n)
      var (before, isDone) = ([Int](repeating: n, count: n), [Bool](repeating: false, count: n + 1))
      var column = n
      while let r = owner[column] {
        isDone[column] = true
        var (step, next) = (Double.infinity, n)
        for c in 0..<n where !isDone[c] {
          let cost = -values[r][c] - rows[r] - columns[c]
          if cost < distance[c] { (distance[c], before[c]) = (cost, column) }
          if distance[c] < step { (step, next) = (distance[c], c) }
        }
        for c in 0...n where isDone[c] {
          rows[owner[c]!] += step
          columns[c] -= step
        }
        for c in 0..<n where !isDone[c] { distance[c] -= step }
        column = next
      }
      while column != n {
        owner[column] = owner[before[column]]
        column = before[column]
      }
    }
    var out = [Int](repeating: 0, count: n)
    for c in 0..<n { out[owner[c]!] = c }
    return out
  }
}
