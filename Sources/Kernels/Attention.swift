import CKernels

/// Sizes of a grouped-query attention: `heads` query heads share `groups` key/value heads of `dimension` channels.
package struct AttentionShape: Sendable, Hashable {
  package var heads: Int
  package var groups: Int
  package var dimension: Int

  package init(heads: Int, groups: Int, dimension: Int) {
    precondition(groups > 0 && heads % groups == 0, "\(heads) heads over \(groups) groups")
    (self.heads, self.groups, self.dimension) = (heads, groups, dimension)
  }

  /// 1/√D.
  var scale: Float { 1 / Float(dimension).squareRoot() }
  package var queryWidth: Int { heads * dimension }
  package var keyWidth: Int { groups * dimension }
}

extension Compute {
  /// Causal attention of one sequence's new rows over its stored and new keys.
  /// - Parameters:
  ///   - queries: rows `rows` of [B, H·D].
  ///   - keys, values: [past + T, G·D] flat, T = `rows.count`.
  ///   - output: [B, H·D], rows `rows` are written.
  ///   - maps: if given, receives [H, T, past + T] probabilities.
  package func attend(
    _ queries: Matrix, rows: Range<Int>, keys: [Float], values: [Float], past: Int, shape: AttentionShape, into output: inout Matrix,
    maps: UnsafeMutablePointer<[Float]>? = nil
  ) {
    let (t, total) = (rows.count, past + rows.count)
    precondition(queries.columns == shape.queryWidth && output.columns == shape.queryWidth, "queries of \(queries.columns) channels")
    precondition(keys.count >= total * shape.keyWidth && values.count >= total * shape.keyWidth, "too few keys for \(total) positions")
    guard t > 0 else { return }
    let first = rows.lowerBound * shape.queryWidth
    queries.values.withUnsafeBufferPointer { q in
      output.values.withUnsafeMutableBufferPointer { o in
        let (from, to) = (q.baseAddress! + first, o.baseAddress! + first)
        func run(_ map: UnsafeMutablePointer<Float>?) {
          fs_attention(
            library.rawValue, 1, Int32(t), Int32(past), Int32(shape.heads), Int32(shape.groups), Int32(shape.dimension), from, keys, values,
            shape.scale, to, map, Int32(threads))
        }
        if let maps { maps.pointee = .filled(shape.heads * t * total) { run($0) } } else { run(nil) }
      }
    }
  }

  /// Attention of rows that each extend a stored prefix by one token of their own: decoding steps and candidate tokens.
  /// - Parameters:
  ///   - queries, ownKeys, ownValues: [B, H·D], [B, G·D], [B, G·D].
  ///   - prefixOf: which prefix row b extends.
  ///   - prefixes: stored keys and values of each prefix, [length, G·D] flat.
  /// - Returns: [B, H·D].
  package func attendRows(
    _ queries: Matrix, ownKeys: Matrix, ownValues: Matrix, prefixOf: [Int], prefixes: [KeyValuePrefix], shape: AttentionShape
  ) -> Matrix {
    precondition(prefixOf.count == queries.rows && ownKeys.rows == queries.rows && ownValues.rows == queries.rows, "row counts differ")
    precondition(
      prefixes.allSatisfy { $0.keys.count >= $0.length * shape.keyWidth && $0.values.count >= $0.length * shape.keyWidth }, "short prefix")
    return Matrix(rows: queries.rows, columns: shape.queryWidth) { out in
      withPointers(prefixes.map(\.keys)) { keyBases in
        withPointers(prefixes.map(\.values)) { valueBases in
          let keys = prefixOf.map { keyBases[$0] }
          let values = prefixOf.map { valueBases[$0] }
          let lengths = prefixOf.map { Int32(prefixes[$0].length) }
          guard !lengths.isEmpty else { return }
          fs_attention_rows(
            Int32(queries.rows), Int32(shape.heads), Int32(shape.groups), Int32(shape.dimension), queries.values, ownKeys.values,
            ownValues.values, keys, values, lengths, shape.scale, out, Int32(threads))
        }
      }
    }
  }
}

/// Keys and values of the first `length` positions of one sequence in one block, [length, G·D] flat (there may be spare capacity behind).
package struct KeyValuePrefix: Sendable {
  package var keys: [Float]
  package var values: [Float]
  package var length: Int

  package init(keys: [Float] = [], values: [Float] = [], length: Int = 0) {
    (self.keys, self.values, self.length) = (keys, values, length)
  }
}

/// The base addresses of several arrays at once, valid inside `body`; an empty array has a dummy address that nobody reads.
private func withPointers<R>(_ arrays: [[Float]], _ body: ([UnsafePointer<Float>]) -> R) -> R {
  var pointers: [UnsafePointer<Float>] = []
  pointers.reserveCapacity(arrays.count)
  let nothing: [Float] = [0]
  func descend(_ i: Int) -> R {
    guard i < arrays.count else { return body(pointers) }
    return (arrays[i].isEmpty ? nothing : arrays[i]).withUnsafeBufferPointer {
      pointers.append($0.baseAddress!)
      return descend(i + 1)
    }
  }
  return descend(0)
}
