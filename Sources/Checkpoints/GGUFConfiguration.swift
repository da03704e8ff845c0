import Diagnostics
import Foundation

/// Reads the model's shape from the metadata of a GGUF file, and refuses what the forward pass does not do.
struct GGUFConfiguration {
  private let file: GGUFFile
  private let prefix: String

  /// The configuration of the model in `file`.
  static func parse(_ file: GGUFFile) throws -> LlamaConfiguration {
    if let parts = file.metadata["split.count"]?.asInt, parts > 1 {
      throw Fault(.invalidData, "the file is one of \(parts) parts of a model", hint: "join them with llama-gguf-split --merge")
    }
    guard let name = file.metadata["general.architecture"]?.asString else { throw Fault(.invalidData, "general.architecture is missing") }
    guard let architecture = LlamaConfiguration.Architecture(rawValue: name) else {
      let known = LlamaConfiguration.Architecture.allCases.map(\.rawValue)
      throw Fault(.invalidData, "architecture \"\(name)\" is not supported", hint: nameHint(name, among: known))
    }
    return try GGUFConfiguration(file: file, prefix: name).read(architecture).validated()
  }

  private func read(_ architecture: LlamaConfiguration.Architecture) throws -> LlamaConfiguration {
    if let experts = try integer("expert_count"), experts > 0 {
      throw Fault(.invalidData, "a mixture of \(experts) experts is not supported")
    }
    let hiddenSize = try required("embedding_length")
    let heads = try required("attention.head_count")
    guard hiddenSize > 0, heads > 0 else {
      throw Fault(.invalidData, "embedding_length \(hiddenSize) and head_count \(heads) must be positive")
    }
    let headDimension: Int
    if let stated = try integer("attention.key_length") {
      headDimension = stated
    } else {
      guard hiddenSize.isMultiple(of: heads) else {
        throw Fault(.invalidData, "\(heads) heads do not divide embedding_length \(hiddenSize)")
      }
      headDimension = hiddenSize / heads
    }
    for key in ["attention.value_length", "rope.dimension_count"] {
      if let other = try integer(key), other != headDimension {
        throw Fault(.invalidData, "\(prefix).\(key) is \(other), and heads of \(headDimension) channels need the same")
      }
    }
    let ropeBase = try number("rope.freq_base") ?? 10000
    guard let embedding = file.tensors["token_embd.weight"], embedding.dimensions.count == 2 else {
      throw Fault(.invalidData, "tensor \"token_embd.weight\" is missing or no matrix")
    }
    guard let epsilon = try number("attention.layer_norm_rms_epsilon") else {
      throw Fault(.invalidData, "\(prefix).attention.layer_norm_rms_epsilon is missing")
    }
    return LlamaConfiguration(
      architecture: architecture, blocks: try required("block_count"), hiddenSize: hiddenSize,
      feedForwardSize: try required("feed_forward_length"),
      heads: heads, keyValueHeads: try integer("attention.head_count_kv") ?? heads, headDimension: headDimension,
      vocabularySize: try integer("vocab_size") ?? embedding.dimensions[1], contextLength: try required("context_length"),
      ropeBase: ropeBase,
      ropeScaling: try ropeScaling(base: ropeBase, headDimension: headDimension), rmsEpsilon: Float(epsilon),
      tiedHead: file.tensors["output.weight"] == nil,
      attentionBias: architecture == .qwen2 || file.tensors["blk.0.attn_q.bias"] != nil,
      slidingWindow: try integer("attention.sliding_window").flatMap { $0 == 0 ? nil : $0 },
      beginToken: try token("bos"), endTokens: try endTokens())
  }

  private func endTokens() throws -> [Int32] {
    var tokens: [Int32] = []
    for kind in ["eos", "eot", "eom"] {
      if let token = try token(kind), !tokens.contains(token) { tokens.append(token) }
    }
    return tokens
  }

  private func token(_ kind: String) throws -> Int32? {
    let key = "tokenizer.ggml.\(kind)_token_id"
    guard let value = file.metadata[key] else { return nil }
    guard let token = value.asInt.flatMap(Int32.init(exactly:)) else { throw Fault(.invalidData, "\(key) is no token id") }
    return token
  }

  /// llama.cpp keeps Llama-3's scaling as the divisor of each frequency. The parameters are found again by trying the published form, and
  /// accepted only if they reproduce every divisor.
  private func ropeScaling(base: Double, headDimension: Int) throws -> Llama3RopeScaling? {
    if let kind = file.metadata["\(prefix).rope.scaling.type"], kind.asString != "none" {
      throw Fault(.invalidData, "rope scaling \"\(kind.asString ?? kind.kind)\" is not supported; only Llama-3's is")
    }
    for key in ["rope.scale_linear", "rope.scaling.factor"] {
      if let factor = try number(key), factor != 1 {
        throw Fault(.invalidData, "\(prefix).\(key) is \(factor); linear rope scaling is not supported")
      }
    }
    guard let info = file.tensors["rope_freqs.weight"] else { return nil }
    guard info.type == .f32, let bytes = file.bytes(of: info), info.dimensions == [headDimension / 2] else {
      throw Fault(.invalidData, "tensor \"rope_freqs.weight\" is no f32 vector of \(headDimension / 2) divisors")
    }
    let divisors = StoredMatrix(name: info.name, type: .f32, rows: 1, columns: headDimension / 2, bytes: bytes).widened().map(Double.init)
    guard base.isFinite, base >= 1, divisors.allSatisfy({ $0.isFinite && $0 >= 1 }), let factor = divisors.max() else {
      throw Fault(.invalidData, "tensor \"rope_freqs.weight\" holds a divisor below 1")
    }
    if factor == 1 { return nil }
    for original in [8192] + (4...17).map({ 1 << $0 }) {
      let scaling = Llama3RopeScaling(factor: factor, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: original)
      let agrees = divisors.enumerated().allSatisfy { index, divisor in
        abs(scaling.divisor(of: pow(base, -2 * Double(index) / Double(headDimension))) - divisor) <= 1e-4 * divisor
      }
      if agrees { return scaling }
    }
    throw Fault(
      .invalidData, "tensor \"rope_freqs.weight\" is not Llama-3's rope scaling, and no other is supported",
      hint: "use the Hugging Face folder of the model")
  }

  private func required(_ key: String) throws -> Int {
    guard let value = try integer(key) else { throw Fault(.invalidData, "\(prefix).\(key) is missing") }
    return value
  }

  private func integer(_ key: String) throws -> Int? {
    guard let value = file.metadata["\(prefix).\(key)"] else { return nil }
    guard let integer = value.asInt else { throw Fault(.invalidData, "\(prefix).\(key) is \(value.kind); expected an integer") }
    return integer
  }

  private func number(_ key: String) throws -> Double? {
    guard let value = file.metadata["\(prefix).\(key)"] else { return nil }
    guard let number = value.asDouble else { throw Fault(.invalidData, "\(prefix).\(key) is \(value.kind); expected a number") }
    return number
  }
}
