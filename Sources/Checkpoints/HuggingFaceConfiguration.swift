import Diagnostics

extension LlamaConfiguration {
  /// The configuration in the JSON document `config.json`; `generation_config.json` may name more end tokens. Throws `Fault(.invalidData)`.
  package init(huggingFace config: JSONValue, generation: JSONValue? = nil) throws {
    self = try HuggingFaceConfiguration.parse(config, generation: generation)
  }
}

/// Reads `config.json` as transformers does, its defaults included, and refuses what the forward pass does not do.
private struct HuggingFaceConfiguration {
  private let fields: [String: JSONValue]
  private let architecture: LlamaConfiguration.Architecture

  static func parse(_ config: JSONValue, generation: JSONValue? = nil) throws -> LlamaConfiguration {
    var configuration = try HuggingFaceConfiguration(config).read()
    if let generation = generation?.asObject {
      for token in try tokens(generation["eos_token_id"], "eos_token_id of generation_config.json")
      where !configuration.endTokens.contains(token) {
        configuration.endTokens.append(token)
      }
    }
    return try configuration.validated()
  }

  private init(_ config: JSONValue) throws {
    guard let fields = config.asObject else { throw Fault(.invalidData, "expected a JSON object, found \(config.kind)") }
    guard let model = fields["model_type"]?.asString else { throw Fault(.invalidData, "model_type is missing") }
    guard let architecture = LlamaConfiguration.Architecture(rawValue: model) else {
      let known = LlamaConfiguration.Architecture.allCases.map(\.rawValue)
      throw Fault(.invalidData, "model_type \"\(model)\" is not supported", hint: nameHint(model, among: known))
    }
    (self.fields, self.architecture) = (fields, architecture)
  }

  private func read() throws -> LlamaConfiguration {
    try refuseUnsupported()
    let hiddenSize = try integer("hidden_size")
    let heads = try integer("num_attention_heads")
    let blocks = try integer("num_hidden_layers")
    guard hiddenSize > 0, heads > 0 else {
      throw Fault(.invalidData, "hidden_size \(hiddenSize) and num_attention_heads \(heads) must be positive")
    }
    let headDimension: Int
    if let stated = try optionalInteger("head_dim") {
      headDimension = stated
    } else {
      guard hiddenSize.isMultiple(of: heads) else { throw Fault(.invalidData, "\(heads) heads do not divide hidden_size \(hiddenSize)") }
      headDimension = hiddenSize / heads
    }
    let (ropeBase, ropeScaling) = try rope()
    return LlamaConfiguration(
      architecture: architecture, blocks: blocks, hiddenSize: hiddenSize, feedForwardSize: try integer("intermediate_size"), heads: heads,
      keyValueHeads: try optionalInteger("num_key_value_heads") ?? heads, headDimension: headDimension,
      vocabularySize: try integer("vocab_size"),
      contextLength: try integer("max_position_embeddings"), ropeBase: ropeBase, ropeScaling: ropeScaling,
      rmsEpsilon: Float(try number("rms_norm_eps", fields) ?? 1e-6), tiedHead: try bool("tie_word_embeddings") ?? false,
      attentionBias: try architecture == .qwen2 || (architecture == .llama && bool("attention_bias") ?? false),
      slidingWindow: try slidingWindow(blocks: blocks),
      beginToken: try Self.tokens(fields["bos_token_id"], "bos_token_id").first,
      endTokens: try Self.tokens(fields["eos_token_id"], "eos_token_id"))
  }

  private func refuseUnsupported() throws {
    if let activation = fields["hidden_act"], activation.asString != "silu" {
      throw Fault(.invalidData, "hidden_act is not \"silu\", and only that is supported")
    }
    if try bool("mlp_bias") ?? false { throw Fault(.invalidData, "mlp_bias is not supported") }
    if let quantization = fields["quantization_config"], quantization != .null {
      throw Fault(
        .invalidData, "the folder holds quantised weights (quantization_config)", hint: "use the f16 or bf16 folder, or a GGUF file")
    }
    if let factor = try number("partial_rotary_factor", fields), factor != 1 {
      throw Fault(.invalidData, "partial_rotary_factor is not supported")
    }
  }

  /// The base and the scaling: from `rope_parameters` (transformers 5), else from `rope_theta` and `rope_scaling`.
  private func rope() throws -> (Double, Llama3RopeScaling?) {
    var parameters: [String: JSONValue] = [:]
    for key in ["rope_scaling", "rope_parameters"] {
      guard let value = fields[key], value != .null else { continue }
      guard let object = value.asObject else { throw Fault(.invalidData, "\(key) is \(value.kind); expected an object") }
      parameters = object
    }
    let base = try number("rope_theta", parameters) ?? number("rope_theta", fields) ?? 10000
    if let factor = try number("partial_rotary_factor", parameters), factor != 1 {
      throw Fault(.invalidData, "partial_rotary_factor is not supported")
    }
    guard !parameters.isEmpty else { return (base, nil) }
    let kind = try string("rope_type", parameters) ?? string("type", parameters) ?? "default"
    switch kind {
    case "default": return (base, nil)
    case "llama3":
      guard let factor = try number("factor", parameters), let low = try number("low_freq_factor", parameters),
        let high = try number("high_freq_factor", parameters), let original = parameters["original_max_position_embeddings"]?.asInt
      else { throw Fault(.invalidData, "the llama3 rope scaling is incomplete") }
      return (base, Llama3RopeScaling(factor: factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalContextLength: original))
    default: throw Fault(.invalidData, "rope scaling \"\(kind)\" is not supported; only \"default\" and \"llama3\" are")
    }
  }

  private func slidingWindow(blocks: Int) throws -> Int? {
    switch architecture {
    case .llama: return nil
    // transformers' MistralConfig has a window of 4096 unless the file says null.
    case .mistral: return fields["sliding_window"] == nil ? 4096 : try optionalInteger("sliding_window")
    case .qwen2:
      guard try bool("use_sliding_window") ?? false, let window = try optionalInteger("sliding_window") else { return nil }
      let fullBlocks = try optionalInteger("max_window_layers") ?? 28
      if fullBlocks >= blocks { return nil }
      guard fullBlocks == 0 else { throw Fault(.invalidData, "a sliding window in only some of the blocks is not supported") }
      return window
    }
  }

  private func integer(_ key: String) throws -> Int {
    guard let value = try optionalInteger(key) else { throw Fault(.invalidData, "\(key) is missing") }
    return value
  }

  private func optionalInteger(_ key: String) throws -> Int? {
    guard let value = fields[key], value != .null else { return nil }
    guard let integer = value.asInt else { throw Fault(.invalidData, "\(key) is \(value.kind); expected an integer") }
    return integer
  }

  private func number(_ key: String, _ fields: [String: JSONValue]) throws -> Double? {
    guard let value = fields[key], value != .null else { return nil }
    guard let number = value.asDouble else { throw Fault(.invalidData, "\(key) is \(value.kind); expected a number") }
    return number
  }

  private func string(_ key: String, _ fields: [String: JSONValue]) throws -> String? {
    guard let value = fields[key], value != .null else { return nil }
    guard let string = value.asString else { throw Fault(.invalidData, "\(key) is \(value.kind); expected a string") }
    return string
  }

  private func bool(_ key: String) throws -> Bool? {
    guard let value = fields[key], value != .null else { return nil }
    guard let bool = value.asBool else { throw Fault(.invalidData, "\(key) is \(value.kind); expected true or false") }
    return bool
  }

  /// No token, one, or a list.
  private static func tokens(_ value: JSONValue?, _ key: String) throws -> [Int32] {
    guard let value, value != .null else { return [] }
    return try (value.asArray ?? [value]).map { element in
      guard let token = element.asInt.flatMap(Int32.init(exactly:)) else { throw Fault(.invalidData, "\(key) is no token id") }
      return token
    }
  }
}
