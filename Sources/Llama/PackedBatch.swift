/// How the rows of a packed batch belong to sequences: no padding anywhere. Sequence i owns rows `offsets[i]..<offsets[i + 1]`, which stand at
/// positions `pasts[i]...` of that sequence.
package struct PackedBatch: Sendable, Hashable {
  package let offsets: [Int]
  package let pasts: [Int]

  /// - Parameters:
  ///   - lengths: new rows of each sequence.
  ///   - pasts: rows that each sequence already has in its cache; zeros by default.
  package init(lengths: [Int], pasts: [Int]? = nil) {
    precondition(
      lengths.allSatisfy { $0 >= 0 } && (pasts?.count ?? lengths.count) == lengths.count, "lengths \(lengths), pasts \(pasts ?? [])")
    offsets = lengths.reduce(into: [0]) { $0.append($0.last! + $1) }
    self.pasts = pasts ?? lengths.map { _ in 0 }
  }

  package var sequences: Int { pasts.count }
  package var rows: Int { offsets.last! }
  package func range(_ sequence: Int) -> Range<Int> { offsets[sequence]..<offsets[sequence + 1] }

  /// Absolute position of every row.
  package var positions: [Int] {
    (0..<sequences).flatMap { i in range(i).map { pasts[i] + $0 - offsets[i] } }
  }
}
