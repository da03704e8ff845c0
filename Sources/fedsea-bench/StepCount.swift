package import Checkpoints
package import Llama

/// Floating-point operations that one LoRA step cannot do without, a multiplication and an addition counted as two.
///
/// - forward: 2 · parameters of the blocks' matrices · tokens, and 2 · parameters of the head · positions that predict a label;
/// - backward: as many again, for the gradients of inputs (the weights are frozen and have none);
/// - adapters, for every adapted matrix [outputs, inputs] of rank r: u = A x and B u forward; dB = dyᵀ u, du = dy B, dA = duᵀ x and
///   dx = du A backward: 6 · r · (inputs + outputs) · tokens in all.
///
/// Not counted: attention's scores (1 % at 128 tokens), norms, activations, the loss, AdamW, and what an implementation computes twice.
package struct StepCount {
  package let forward: Double
  package let backward: Double
  package let adapters: Double
  package var operations: Double { forward + backward + adapters }

  /// - Parameter lengths: tokens of each text; all but the first of each are labels.
  package init(_ c: LlamaConfiguration, _ settings: AdapterSettings, lengths: [Int]) {
    let (tokens, labels) = (lengths.reduce(0, +), lengths.reduce(0) { $0 + max(0, $1 - 1) })
    let (h, f, q, kv) = (c.hiddenSize, c.feedForwardSize, c.heads * c.headDimension, c.keyValueHeads * c.headDimension)
    let shapes: [AdapterTarget: (outputs: Int, inputs: Int)] = [
      .query: (q, h), .key: (kv, h), .value: (kv, h), .output: (h, q), .gate: (f, h), .up: (f, h), .down: (h, f),
    ]
    let matrices = c.blocks * shapes.values.reduce(0) { $0 + $1.outputs * $1.inputs }
    forward = Double(2 * matrices * tokens + 2 * c.vocabularySize * h * labels)
    backward = forward
    let widths = settings.targets.compactMap { shapes[$0] }.reduce(0) { $0 + $1.outputs + $1.inputs }
    adapters = Double(6 * settings.rank * widths * tokens * c.blocks)
  }
}
