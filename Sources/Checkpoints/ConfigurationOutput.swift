extension LlamaConfiguration {
  /// `config.json` as transformers (4 and 5) reads it; keys sorted.
  package var huggingFaceJSON: String {
    let classes = [Architecture.llama: "LlamaForCausalLM", .mistral: "MistralForCausalLM", .qwen2: "Qwen2ForCausalLM"]
    var fields: [String: String] = [
      "architectures": "[\(JSONValue.quoted(classes[architecture]!))]", "model_type": JSONValue.quoted(architecture.rawValue),
      "hidden_act": "\"silu\"",
      "hidden_size": "\(hiddenSize)", "intermediate_size": "\(feedForwardSize)", "num_hidden_layers": "\(blocks)",
      "num_attention_heads": "\(heads)",
      "num_key_value_heads": "\(keyValueHeads)", "head_dim": "\(headDimension)", "vocab_size": "\(vocabularySize)",
      "max_position_embeddings": "\(contextLength)", "rope_theta": "\(ropeBase)", "rms_norm_eps": "\(Double(rmsEpsilon))",
      "tie_word_embeddings": "\(tiedHead)", "attention_bias": "\(attentionBias)", "bos_token_id": beginToken.map { "\($0)" } ?? "null",
      "eos_token_id": endTokens.isEmpty ? "null" : endTokens.count == 1 ? "\(endTokens[0])" : "\(endTokens)",
      "sliding_window": slidingWindow.map { "\($0)" } ?? "null",
    ]
    if let ropeScaling {
      fields["rope_scaling"] = """
        {"rope_type":"llama3","factor":\(ropeScaling.factor),"low_freq_factor":\(ropeScaling.lowFrequencyFactor),\
        "high_freq_factor":\(ropeScaling.highFrequencyFactor),"original_max_position_embeddings":\(ropeScaling.originalContextLength)}
        """
    }
    if architecture == .qwen2 {
      fields["use_sliding_window"] = "\(slidingWindow != nil)"
      fields["max_window_layers"] = "0"
    }
    return "{\n" + fields.sorted { $0.key < $1.key }.map { "  \(JSONValue.quoted($0.key)): \($0.value)" }.joined(separator: ",\n") + "\n}\n"
  }

  /// The metadata by which llama.cpp describes the model.
  var ggufMetadata: [(String, GGUFValue)] {
    let prefix = architecture.rawValue
    func count(_ key: String, _ value: Int) -> (String, GGUFValue) { ("\(prefix).\(key)", .unsigned(UInt64(value))) }
    var entries: [(String, GGUFValue)] = [
      ("general.architecture", .string([UInt8](prefix.utf8))), count("block_count", blocks), count("context_length", contextLength),
      count("embedding_length", hiddenSize), count("feed_forward_length", feedForwardSize), count("attention.head_count", heads),
      count("attention.head_count_kv", keyValueHeads), count("attention.key_length", headDimension),
      count("attention.value_length", headDimension),
      count("vocab_size", vocabularySize), count("rope.dimension_count", headDimension), ("\(prefix).rope.freq_base", .float(ropeBase)),
      ("\(prefix).attention.layer_norm_rms_epsilon", .float(Double(rmsEpsilon))),
    ]
    if let slidingWindow { entries.append(count("attention.sliding_window", slidingWindow)) }
    if let beginToken { entries.append(("tokenizer.ggml.bos_token_id", .unsigned(UInt64(beginToken)))) }
    for (kind, token) in zip(["eos", "eot", "eom"], endTokens) {
      entries.append(("tokenizer.ggml.\(kind)_token_id", .unsigned(UInt64(token))))
    }
    return entries
  }
}
