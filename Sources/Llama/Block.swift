package import Checkpoints
package import Kernels

/// The weights of one decoder block, and what fine-tuning adds to them. Hugging Face names appear only here, at the border.
package struct Block: Sendable {
  package private(set) var attentionNorm: [Float]
  package private(set) var query: Weight
  package private(set) var key: Weight
  package private(set) var value: Weight
  package private(set) var output: Weight
  package private(set) var feedForwardNorm: [Float]
  package private(set) var gate: Weight
  package private(set) var up: Weight
  package private(set) var down: Weight
  /// Biases of query, key and value (Qwen2), or nil.
  package let biases: (query: [Float], key: [Float], value: [Float])?
  package let shape: AttentionShape
  package let epsilon: Float
  /// Added to the products of the matrices that carry one; nil for the checkpoint as it is.
  package private(set) var adapters: BlockAdapters?
  package private(set) var adapterScale: Float = 0
  /// Q, K and V; gate and up.
  private var attentionInputs: FusedWeight
  private var feedForwardInputs: FusedWeight

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
    attentionInputs = FusedWeight([query, key, value])
    feedForwardInputs = FusedWeight([gate, up])
  }

  /// The matrix that an adapter of `target` goes with.
  package private(set) subscript(target: AdapterTarget) -> Weight {
    get {
      switch target {
      case .query: query
      case .key: key
      case .value: value
      case .output: output
      case .gate: gate
      case .up: up
      case .down: down
      }
    }
    set {
      switch target {
      case .query: query = newValue
      case .key: key = newValue
      case .value: value = newValue
      case .output: output = newValue
      case .gate: gate = newValue
      case .up: up = newValue
      case .down: down = newValue
      }
    }
  }

  /// The same block with its matrices rounded to bf16.
  package func narrowed(_ compute: Compute) -> Block {
    replacing(Dictionary(uniqueKeysWithValues: AdapterTarget.allCases.map { ($0, self[$0].narrowed(compute)) }))
  }

  /// The same block with other matrices, and norms where they are given.
  package func replacing(_ weights: [AdapterTarget: Weight], attentionNorm: [Float]? = nil, feedForwardNorm: [Float]? = nil) -> Block {
    var block = self
    for (target, weight) in weights { block[target] = weight }
    block.attentionNorm = attentionNorm ?? self.attentionNorm
    block.feedForwardNorm = feedForwardNorm ?? self.feedForwardNorm
    block.attentionInputs = FusedWeight([block.query, block.key, block.value])
    block.feedForwardInputs = FusedWeight([block.gate, block.up])
    return block
  }

  /// The same block with adapters that count `scale`.
  package func adapted(by adapters: BlockAdapters, scale: Float) -> Block {
    var block = self
    (block.adapters, block.adapterScale) = (adapters, scale)
    return block
  }

  /// A matrix as it acts, with what its adapter adds: [outputs, inputs].
  package func effective(_ target: AdapterTarget, _ compute: Compute) -> Matrix {
    let weight = self[target]
    var out = Matrix(rows: weight.rows, columns: weight.columns, values: weight.values(compute))
    if let pair = adapters?.pairs[target] { compute.product(pair.b, pair.a, alpha: adapterScale, beta: 1, into: &out) }
    return out
  }

  /// Q [B, H·D], K and V [B, G·D] of normalised inputs, Q and K rotated.
  /// - Parameter x: block input [B, C].
  package func project(_ x: Matrix, rotary: RotaryTable, _ compute: Compute) -> (query: Matrix, key: Matrix, value: Matrix) {
    projected(compute.rmsNorm(x, weight: attentionNorm, epsilon: epsilon), rotary: rotary, compute, adapt(compute))
  }

  /// As `project`, from inputs that are normalised already; `adapt` adds what adapters contribute to a product.
  func projected(_ normed: Matrix, rotary: RotaryTable, _ compute: Compute, _ adapt: Adaptation) -> (
    query: Matrix, key: Matrix, value: Matrix
  ) {
    var parts = attentionInputs.apply(normed, compute)
    for (i, target) in [AdapterTarget.query, .key, .value].enumerated() { adapt(target, normed, &parts[i]) }
    var (q, k, v) = (parts[0], parts[1], parts[2])
    parts = []
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
    let adapt = adapt(compute)
    compute.add(&x, applied(.output, attended, compute, adapt))
    let normed = compute.rmsNorm(x, weight: feedForwardNorm, epsilon: epsilon)
    var (hidden, up) = gated(normed, compute, adapt)
    compute.swiglu(&hidden, up: up)
    up = Matrix(rows: 0, columns: 0)
    compute.add(&x, applied(.down, hidden, compute, adapt))
  }

  /// W_gate n and W_up n [B, F].
  func gated(_ normed: Matrix, _ compute: Compute, _ adapt: Adaptation) -> (gate: Matrix, up: Matrix) {
    var parts = feedForwardInputs.apply(normed, compute)
    adapt(.gate, normed, &parts[0])
    adapt(.up, normed, &parts[1])
    return (parts[0], parts[1])
  }

  /// W_gate n and W_up n side by side [B, 2F], without what adapters add.
  func gateAndUp(_ normed: Matrix, _ compute: Compute) -> Matrix { feedForwardInputs.applyTogether(normed, compute) }

  /// W x of one matrix, and what its adapter contributes.
  func applied(_ target: AdapterTarget, _ x: Matrix, _ compute: Compute, _ adapt: Adaptation) -> Matrix {
    var y = self[target].apply(x, compute)
    adapt(target, x, &y)
    return y
  }

  /// How Q [M, H·D], K and V [M, G·D] move with their normalised input [M, C], before rotation.
  func attentionInputSlope(_ dx: Matrix, _ compute: Compute) -> (query: Matrix, key: Matrix, value: Matrix) {
    let parts = attentionInputs.apply(dx, compute)
    return (parts[0], parts[1], parts[2])
  }

  /// Gradients with respect to what Q, K, V, and gate and up [B, 2F], were made of.
  func attentionInputGradient(_ dy: [Matrix], _ compute: Compute) -> Matrix { attentionInputs.applyTransposed(dy, compute) }
  func feedForwardInputGradient(_ dy: Matrix, _ compute: Compute) -> Matrix { feedForwardInputs.applyTransposed(together: dy, compute) }

  /// Adds to y [B, outputs] what the adapter of a matrix makes of x [B, inputs].
  typealias Adaptation = (_ target: AdapterTarget, _ x: Matrix, _ y: inout Matrix) -> Void

  private func adapt(_ compute: Compute) -> Adaptation {
    { target, x, y in adapters?.pairs[target]?.add(x, scale: adapterScale, to: &y, compute) }
  }
}
