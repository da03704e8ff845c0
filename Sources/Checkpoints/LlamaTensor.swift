import Diagnostics

/// The tensors of a LLaMA-family model: their two names and the shape that the configuration gives them.
enum LlamaTensor: Hashable {
  case embedding, finalNorm, head
  case block(Int, Part)

  enum Part: String, CaseIterable {
    case inputNorm = "input_layernorm.weight"
    case query = "self_attn.q_proj.weight"
    case key = "self_attn.k_proj.weight"
    case value = "self_attn.v_proj.weight"
    case queryBias = "self_attn.q_proj.bias"
    case keyBias = "self_attn.k_proj.bias"
    case valueBias = "self_attn.v_proj.bias"
    case attentionOutput = "self_attn.o_proj.weight"
    case feedForwardNorm = "post_attention_layernorm.weight"
    case gate = "mlp.gate_proj.weight"
    case up = "mlp.up_proj.weight"
    case down = "mlp.down_proj.weight"

    var ggufName: String {
      switch self {
      case .inputNorm: "attn_norm.weight"
      case .query: "attn_q.weight"
      case .key: "attn_k.weight"
      case .value: "attn_v.weight"
      case .queryBias: "attn_q.bias"
      case .keyBias: "attn_k.bias"
      case .valueBias: "attn_v.bias"
      case .attentionOutput: "attn_output.weight"
      case .feedForwardNorm: "ffn_norm.weight"
      case .gate: "ffn_gate.weight"
      case .up: "ffn_up.weight"
      case .down: "ffn_down.weight"
      }
    }
  }

  /// The tensor with the Hugging Face name `name`; nil for names of none.
  init?(huggingFaceName name: String) {
    switch name {
    case "model.embed_tokens.weight": self = .embedding
    case "model.norm.weight": self = .finalNorm
    case "lm_head.weight": self = .head
    default:
      guard let (block, rest) = Self.split(name, after: "model.layers."), let part = Part(rawValue: rest) else { return nil }
      self = .block(block, part)
    }
  }

  /// The tensor with the GGUF name `name`; nil for names of none.
  init?(ggufName name: String) {
    switch name {
    case "token_embd.weight": self = .embedding
    case "output_norm.weight": self = .finalNorm
    case "output.weight": self = .head
    default:
      guard let (block, rest) = Self.split(name, after: "blk."), let part = Part.allCases.first(where: { $0.ggufName == rest }) else {
        return nil
      }
      self = .block(block, part)
    }
  }

  var huggingFaceName: String {
    switch self {
    case .embedding: "model.embed_tokens.weight"
    case .finalNorm: "model.norm.weight"
    case .head: "lm_head.weight"
    case .block(let block, let part): "model.layers.\(block).\(part.rawValue)"
    }
  }

  var ggufName: String {
    switch self {
    case .embedding: "token_embd.weight"
    case .finalNorm: "output_norm.weight"
    case .head: "output.weight"
    case .block(let block, let part): "blk.\(block).\(part.ggufName)"
    }
  }

  /// `[length]` of a vector, `[rows, columns]` of a matrix.
  func shape(in model: LlamaConfiguration) -> [Int] {
    let (hidden, queries, keys) = (model.hiddenSize, model.heads * model.headDimension, model.keyValueHeads * model.headDimension)
    return switch self {
    case .embedding, .head: [model.vocabularySize, hidden]
    case .finalNorm: [hidden]
    case .block(_, let part):
      switch part {
      case .inputNorm, .feedForwardNorm: [hidden]
      case .query: [queries, hidden]
      case .key, .value: [keys, hidden]
      case .queryBias: [queries]
      case .keyBias, .valueBias: [keys]
      case .attentionOutput: [hidden, queries]
      case .gate, .up: [model.feedForwardSize, hidden]
      case .down: [hidden, model.feedForwardSize]
      }
    }
  }

  /// The heads whose rows llama.cpp reorders when it converts a model of architecture `llama`; nil for other tensors.
  func permutedHeads(in model: LlamaConfiguration) -> Int? {
    guard case .block(_, let part) = self, model.architecture != .qwen2 else { return nil }
    return switch part {
    case .query, .queryBias: model.heads
    case .key, .keyBias: model.keyValueHeads
    default: nil
    }
  }

  /// Every tensor that a model of this configuration has, in the order of the forward pass.
  static func all(in model: LlamaConfiguration) -> [LlamaTensor] {
    let biases: Set<Part> = [.queryBias, .keyBias, .valueBias]
    let parts = Part.allCases.filter { model.attentionBias || !biases.contains($0) }
    let blocks = (0..<model.blocks).flatMap { block in parts.map { LlamaTensor.block(block, $0) } }
    return [.embedding] + blocks + [.finalNorm] + (model.tiedHead ? [] : [.head])
  }

  /// `("12", "rest")` of `prefix12.rest`, if the number is written the usual way.
  private static func split(_ name: String, after prefix: String) -> (Int, String)? {
    guard name.hasPrefix(prefix) else { return nil }
    let parts = name.dropFirst(prefix.count).split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let block = Int(parts[0]), block >= 0, String(block) == parts[0] else { return nil }
    return (block, String(parts[1]))
  }
}
