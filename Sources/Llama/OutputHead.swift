package import Checkpoints
package import Kernels

/// Final norm and language-model head.
package struct OutputHead: Sendable {
  package let norm: [Float]
  package let weight: Weight
  package let epsilon: Float
  package let compute: Compute

  /// - Parameter embedding: shared with the head when the checkpoint ties them.
  package init(_ checkpoint: Checkpoint, embedding: Weight?, precision: Precision, compute: Compute) throws {
    norm = try checkpoint.vector("model.norm.weight")
    if checkpoint.configuration.tiedHead {
      weight = try embedding ?? Weight(checkpoint.matrix("model.embed_tokens.weight"), precision: precision, compute: compute)
    } else {
      weight = try Weight(checkpoint.matrix("lm_head.weight"), precision: precision, compute: compute)
    }
    epsilon = checkpoint.configuration.rmsEpsilon
    self.compute = compute
  }

  private init(norm: [Float], weight: Weight, epsilon: Float, compute: Compute) {
    (self.norm, self.weight, self.epsilon, self.compute) = (norm, weight, epsilon, compute)
  }

  /// The same head behind another norm weight [C].
  package func with(norm: [Float]) -> OutputHead {
    precondition(norm.count == self.norm.count, "a norm of \(norm.count) channels for one of \(self.norm.count)")
    return OutputHead(norm: norm, weight: weight, epsilon: epsilon, compute: compute)
  }

  /// The same head with its matrix rounded to bf16.
  package func narrowed() -> OutputHead {
    OutputHead(norm: norm, weight: weight.narrowed(compute), epsilon: epsilon, compute: compute)
  }

  /// The head over a part of the vocabulary: row i of its matrix is that of token ids[i]. In bf16 if `narrow`.
  package func restricted(to ids: [Int32], narrow: Bool) -> OutputHead {
    let rows = Weight(rows: ids.count, columns: weight.columns, values: weight.gather(ids).values)
    return OutputHead(norm: norm, weight: narrow ? rows.narrowed(compute) : rows, epsilon: epsilon, compute: compute)
  }

  /// Logits [B, V] of states [B, C] after the last block.
  package func logits(_ x: Matrix) -> Matrix {
    weight.apply(compute.rmsNorm(x, weight: norm, epsilon: epsilon), compute)
  }
}
