import CKernels

extension Compute {
  /// Attention of packed sequences that start at position 0, without a cache: the forward pass of training.
  /// - Parameters:
  ///   - q: [N, H·D]; k, v: [N, G·D].
  ///   - offsets: rows of sequence s are offsets[s]..<offsets[s + 1].
  ///   - causal: whether a position sees only itself and what is before it, or its whole sequence.
  /// - Returns: [N, H·D].
  package func attendPacked(
    _ q: Matrix, keys k: Matrix, values v: Matrix, offsets: [Int], shape: AttentionShape, causal: Bool = true
  ) -> Matrix {
    precondition(offsets.last == q.rows && k.rows == q.rows && v.rows == q.rows, "\(q.rows) rows for offsets \(offsets)")
    return Matrix(rows: q.rows, columns: q.columns) { out in
      q.values.withUnsafeBufferPointer { q_ in
        k.values.withUnsafeBufferPointer { k_ in
          v.values.withUnsafeBufferPointer { v_ in
            for (start, end) in zip(offsets, offsets.dropFirst()) where end > start {
              let (at, key) = (start * shape.queryWidth, start * shape.keyWidth)
              fs_attention(
                library.rawValue, causal ? 1 : 0, Int32(end - start), 0, Int32(shape.heads), Int32(shape.groups), Int32(shape.dimension),
                q_.baseAddress! + at, k_.baseAddress! + key, v_.baseAddress! + key, shape.scale, out + at, nil, Int32(threads))
            }
          }
        }
      }
    }
  }

  /// Gradients of `attendPacked` with respect to q, k and v, given that of its output. Probabilities are recomputed, not stored.
  package func attendPackedBackward(
    _ q: Matrix, keys k: Matrix, values v: Matrix, output: Matrix, dy: Matrix, offsets: [Int], shape: AttentionShape, causal: Bool = true
  ) -> (q: Matrix, k: Matrix, v: Matrix) {
    precondition(offsets.last == q.rows && dy.rows == q.rows && output.rows == q.rows, "\(q.rows) rows for offsets \(offsets)")
    var dk = [Float](repeating: 0, count: q.values.count)
    var dv = dk
    let dq = Matrix(rows: q.rows, columns: q.columns) { dq in
      fs_attention_backward(
        causal ? 1 : 0, Int32(offsets.count - 1), offsets.map(Int32.init), Int32(shape.heads), Int32(shape.groups), Int32(shape.dimension),
        q.values,
        k.values, v.values, output.values, dy.values, shape.scale, dq, &dk, &dv, Int32(threads))
    }
    return (dq, summedOverGroups(dk, rows: q.rows, shape), summedOverGroups(dv, rows: q.rows, shape))
  }

  /// [N, H, D] → [N, G, D]: the query heads of a group share its keys and values.
  private func summedOverGroups(_ x: [Float], rows: Int, _ shape: AttentionShape) -> Matrix {
    Matrix(rows: rows, columns: shape.keyWidth) { out in
      fs_sum_heads(Int32(rows * shape.groups), Int32(shape.heads / shape.groups), Int32(shape.dimension), x, out, Int32(threads))
    }
  }
}
