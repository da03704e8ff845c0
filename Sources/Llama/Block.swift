package import Checkpoints
package import Kernels

/// The weights of one decoder block. Hugging Face names appear only here, at the border.
package struct Block: Sendable {
  package let attentionNorm: [Float]
  package private(set) var query: Weight
  package private(set) var key: Weight
  package private(set) var value: Weight
  package private(set) var output: Weight
  package let feedForwardNorm: [Float]
  package private(set) var gate: Weight
  package private(set) var up: Weight
  package private(set) var down: Weight
  /// Biases of query, key and value (Qwen2), or nil.
  package let biases: (query: [Float], key: [Float], value: [Float])?
  package let shape: AttentionShape
  package let epsilon: Float

  package init(_ checkpoint: Checkpoint, index: Int, precision: Precision, compute: Compute) throws {
    let c = checkpoint.configuration
    func weight(_ name: String) throws -> Weight {
      try Weight(checkpoint.matrix("model.layers.\(index).\(name).weight"), precision: precision, compute: compute)
    }
    func vector(_ name: String) throws -> [Float] { try checkpoint.vector("model.layers.\(index).\(name)") }
    attentionNorm = try vector("input_layernorm.weight")
    query = try weight("self_attn.q_proj")
    key = try weight("self_attn.k_proj")
    value = try weight("self_attn.v_proj")
    output = try weight("self_attn.o_proj")
    feedForwardNorm = try vector("post_attention_layernorm.weight")
    gate = try weight("mlp.gate_proj")
    up = try weight("mlp.up_proj")
    down = try weight("mlp.down_proj")
    biases =
      c.attentionBias
      ? (try vector("self_attn.q_proj.bias"), try vector("self_attn.k_proj.bias"), try vector("self_attn.v_proj.bias")) : nil
    shape = AttentionShape(heads: c.heads, groups: c.keyValueHeads, dimension: c.headDimension)
    epsilon = c.rmsEpsilon
  }

  /// The same block with its matrices rounded to bf16.
  package func narrowed(_ compute: Compute) -> Block {
    var block = self
    for matrix in [\Block.query, \.key, \.value, \.output, \.gate, \.up, \.down] {
      block[keyPath: matrix] = self[keyPath: matrix].narrowed(compute)
    }
    return block
  }

  /// Q [B, H·D], K and V [B, G·D] of normalised inputs, Q and K rotated.
  /// - Parameter x: block input [B, C].
  package func project(_ x: Matrix, rotary: RotaryTable, _ compute: Compute) -> (query: Matrix, key: Matrix, value: Matrix) {
    let normed = compute.rmsNorm(x, weight: attentionNorm, epsilon: epsilon)
    var q = query.apply(normed, compute)
    var k = key.apply(normed, compute)
    var v = value.apply(normed, compute)
    if let biases {
      compute.addBias(&q, biases.query)
      compute.addBias(&k, biases.key)
      compute.addBias(&v, biases.value)
    }
    compute.rotate(&q, heads: shape.heads, by: rotary)
    compute.rotate(&k, heads: shape.groups, by: rotary)
    return (q, k, v)
  }

  /// x ← x + W_o a, then x ← x + W_down (silu(W_gate n) ⊙ W_up n), n = norm(x).
  /// - Parameters:
  ///   - x: block input [B, C]; becomes the block output.
  ///   - attended: attention output a [B, H·D].
  package func finish(_ x: inout Matrix, attended: Matrix, _ compute: Compute) {
    compute.add(&x, output.apply(attended, compute))
    let normed = compute.rmsNorm(x, weight: feedForwardNorm, epsilon: epsilon)
    var hidden = gate.apply(normed, compute)
    compute.swiglu(&hidden, up: up.apply(normed, compute))
    compute.add(&x, down.apply(hidden, compute))
  }
}
