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

  /// Logits [B, V] of states [B, C] after the last block.
  package func logits(_ x: Matrix) -> Matrix {
    weight.apply(compute.rmsNorm(x, weight: norm, epsilon: epsilon), compute)
  }
}
