import CKernels

extension Compute {
  /// Negative log-likelihood of one label a row, and its gradient in place of the logits.
  /// - Parameters:
  ///   - logits: [B, V]; becomes `scale` · (softmax − one-hot).
  ///   - labels: one a row, 0..<V; traps outside, callers check them at the border.
  /// - Returns: nats, one a row.
  package func crossEntropy(_ logits: inout Matrix, labels: [Int32], scale: Float) -> [Float] {
    let vocabulary = logits.columns
    precondition(labels.count == logits.rows && labels.allSatisfy { $0 >= 0 && $0 < vocabulary }, "labels outside 0..<\(vocabulary)")
    let (rows, columns) = (logits.rows, logits.columns)
    return .filled(rows) { losses in
      logits.values.withUnsafeMutableBufferPointer {
        fs_cross_entropy(Int32(rows), Int32(columns), $0.baseAddress!, labels, scale, losses, Int32(threads))
      }
    }
  }
}
