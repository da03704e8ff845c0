/// A trainable tensor of one block: the halves of an adapter, or in full fine-tuning a matrix or a norm itself.
package enum ParameterName: Sendable, Hashable {
  /// A [r, inputs] and B [outputs, r] of a low-rank adapter.
  case adapterA(AdapterTarget)
  case adapterB(AdapterTarget)
  /// A matrix of the block [outputs, inputs].
  case weight(AdapterTarget)
  /// RMSNorm weights [C] before attention and before the feed-forward.
  case attentionNorm
  case feedForwardNorm

  /// `q_proj.lora_A`, `q_proj.weight`, `input_layernorm.weight`: as in Hugging Face and PEFT files.
  package var text: String {
    switch self {
    case .adapterA(let target): "\(target.rawValue).lora_A"
    case .adapterB(let target): "\(target.rawValue).lora_B"
    case .weight(let target): "\(target.rawValue).weight"
    case .attentionNorm: "input_layernorm.weight"
    case .feedForwardNorm: "post_attention_layernorm.weight"
    }
  }
}
