import Checkpoints
import Diagnostics
import Foundation
import TestSupport
import Testing

@Suite struct ConfigurationTests {
  @Test func readsWhatTransformersWrote() throws {
    let llama = try Checkpoint.open(at: Fixture.path("checkpoints/llama-tied")).configuration
    #expect(
      llama
        == LlamaConfiguration(
          architecture: .llama, blocks: 2, hiddenSize: 32, feedForwardSize: 40, heads: 2, keyValueHeads: 1, headDimension: 16,
          vocabularySize: 48,
          contextLength: 512, ropeBase: 1000,
          ropeScaling: Llama3RopeScaling(factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: 64),
          rmsEpsilon: 1e-6,
          tiedHead: true, beginToken: 1, endTokens: [2]))
    let mistral = try Checkpoint.open(at: Fixture.path("checkpoints/mistral-f16")).configuration
    #expect(mistral.architecture == .mistral && mistral.slidingWindow == 16 && mistral.headDimension == 8 && !mistral.tiedHead)
    let qwen2 = try Checkpoint.open(at: Fixture.path("checkpoints/qwen2-sharded")).configuration
    #expect(qwen2.architecture == .qwen2 && qwen2.attentionBias && qwen2.slidingWindow == nil && qwen2.beginToken == 3)
    #expect(qwen2.endTokens == [4, 5])
  }

  private let llama: [String: String] = [
    "model_type": "\"llama\"", "hidden_size": "32", "intermediate_size": "40", "num_hidden_layers": "2", "num_attention_heads": "4",
    "vocab_size": "48",
    "max_position_embeddings": "64",
  ]

  private func read(_ changes: [String: String?], generation: String? = nil) throws -> LlamaConfiguration {
    var fields = llama
    for (key, value) in changes { fields[key] = value }
    let text = "{" + fields.map { "\"\($0)\":\($1)" }.joined(separator: ",") + "}"
    func parse(_ text: String) throws -> JSONValue { try [UInt8](text.utf8).withUnsafeBytes { try JSONValue.parse($0) } }
    return try LlamaConfiguration(huggingFace: parse(text), generation: generation.map(parse))
  }

  @Test func missingFieldsTakeTransformersDefaults() throws {
    let plain = try read([:])
    #expect(plain.keyValueHeads == 4 && plain.headDimension == 8 && plain.ropeBase == 10000 && plain.rmsEpsilon == 1e-6 && !plain.tiedHead)
    #expect(plain.slidingWindow == nil && plain.ropeScaling == nil && plain.beginToken == nil && plain.endTokens == [])
    #expect(try read(["model_type": "\"mistral\""]).slidingWindow == 4096)
    #expect(try read(["model_type": "\"mistral\"", "sliding_window": "null"]).slidingWindow == nil)
    #expect(try read(["model_type": "\"qwen2\"", "sliding_window": "8"]).slidingWindow == nil)
    #expect(
      try read(["model_type": "\"qwen2\"", "sliding_window": "8", "use_sliding_window": "true", "max_window_layers": "0"]).slidingWindow
        == 8)
    #expect(try read(["rope_theta": "500000", "rope_scaling": "null"]).ropeBase == 500000)
    #expect(try read(["eos_token_id": "[1,2]"], generation: "{\"eos_token_id\":[2,7]}").endTokens == [1, 2, 7])
    let scaled = try read([
      "rope_theta": "500000.0",
      "rope_scaling":
        "{\"rope_type\":\"llama3\",\"factor\":32.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,\"original_max_position_embeddings\":8192}",
    ])
    #expect(scaled.ropeScaling == Llama3RopeScaling(factor: 32, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: 8192))
  }

  @Test func hostileFieldsAreRefused() {
    for key in ["hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "max_position_embeddings"] {
      expectFault("\(key) is missing") { _ = try read([key: nil]) }
      expectFault("\(key) is a string") { _ = try read([key: "\"32\""]) }
      expectFault("\(key) is a bool") { _ = try read([key: "true"]) }
      expectFault("\(key) is a number") { _ = try read([key: "32.5"]) }
      for hostile in [
        "0", "-1", "-9223372036854775808", "9223372036854775807", "9223372036854775808", "1e18", "1e300", "4611686018427387904",
      ] {
        expectFault("") { _ = try read([key: hostile]) }
      }
      expectFault("invalid JSON") { _ = try read([key: "NaN"]) }
    }
    expectFault("evenly") { _ = try read(["num_key_value_heads": "3"]) }
    expectFault("keyValueHeads is 8; expected 1 to 4") { _ = try read(["num_key_value_heads": "8"]) }
    expectFault("do not divide") { _ = try read(["num_attention_heads": "5"]) }
    expectFault("even one") { _ = try read(["head_dim": "7"]) }
    expectFault("ropeBase") { _ = try read(["rope_theta": "-1"]) }
    expectFault("ropeBase") { _ = try read(["rope_theta": "1e300"]) }
    expectFault("rmsEpsilon") { _ = try read(["rms_norm_eps": "-1e-6"]) }
    expectFault("rmsEpsilon") { _ = try read(["rms_norm_eps": "1e300"]) }
    expectFault("bos_token_id is no token id") { _ = try read(["bos_token_id": "4294967297"]) }
    expectFault("outside the vocabulary") { _ = try read(["bos_token_id": "-1"]) }
    expectFault("outside the vocabulary") { _ = try read(["eos_token_id": "[1,48]"]) }
    expectFault("no token id") { _ = try read(["eos_token_id": "[[1]]"]) }
    expectFault("\"yarn\" is not supported") { _ = try read(["rope_scaling": "{\"rope_type\":\"yarn\",\"factor\":4}"]) }
    expectFault("\"linear\" is not supported") { _ = try read(["rope_scaling": "{\"type\":\"linear\",\"factor\":4}"]) }
    expectFault("incomplete") { _ = try read(["rope_scaling": "{\"rope_type\":\"llama3\",\"factor\":4}"]) }
    expectFault("expected an object") { _ = try read(["rope_scaling": "4"]) }
    expectFault("hidden_act") { _ = try read(["hidden_act": "\"gelu\""]) }
    expectFault("mlp_bias") { _ = try read(["mlp_bias": "true"]) }
    expectFault("quantization_config") { _ = try read(["quantization_config": "{}"]) }
    expectFault("partial_rotary_factor") { _ = try read(["partial_rotary_factor": "0.5"]) }
    expectFault("some of the blocks") {
      _ = try read(["model_type": "\"qwen2\"", "sliding_window": "8", "use_sliding_window": "true", "max_window_layers": "1"])
    }
    expectFault("did you mean \"qwen2\"?") { _ = try read(["model_type": "\"qwen3\""]) }
    expectFault("known: llama, mistral, qwen2") { _ = try read(["model_type": "\"gpt_neox\""]) }
    expectFault("model_type is missing") { _ = try read(["model_type": nil]) }
    expectFault("slidingWindow is 0") { _ = try read(["model_type": "\"mistral\"", "sliding_window": "0"]) }
  }

  @Test func damagedConfigurationsParseOrThrow() throws {
    var random = SplitMix(state: 14)
    let texts = try ["llama-tied", "mistral-f16", "qwen2-sharded"].map { try contents(Fixture.path("checkpoints/\($0)/config.json")) }
    var sound = 0
    for round in 0..<9000 {
      let bytes = damaged(texts[round % 3], reach: 4096, using: &random)
      sound +=
        survives {
          let configuration = try LlamaConfiguration(huggingFace: bytes.withUnsafeBytes { try JSONValue.parse($0) })
          #expect(configuration.heads % configuration.keyValueHeads == 0)
        } ? 1 : 0
    }
    #expect(sound > 0 && sound < 9000)
  }

  @Test func ggufMetadataIsChecked() throws {
    try withFolder { folder in
      let path = folder + "/m.gguf"
      func refuse(_ words: String, _ extra: [(String, GGUFValue)], line: SourceLocation = #_sourceLocation) throws {
        // Keys that the model already has are replaced; an empty array stands for removal.
        try CheckpointWriter.writeGGUF(tiny, at: path, weights: exactWeights)
        let file = try GGUFFile.open(at: path)
        var metadata = file.metadata
        for (key, value) in extra { metadata[key] = value == .bools([]) ? nil : value }
        let tensors = file.tensors.values.sorted { $0.name < $1.name }.map { info in
          GGUFWriter.Tensor(
            info.name, info.type!, dimensions: info.dimensions, bytes: file.bytes(of: info)!.withUnsafeBytes { [UInt8]($0) })
        }
        try GGUFWriter.write(to: path, metadata: metadata.sorted { $0.key < $1.key }, tensors: tensors)
        expectFault(words, sourceLocation: line) { _ = try Checkpoint.open(at: path) }
      }
      func text(_ text: String) -> GGUFValue { .string([UInt8](text.utf8)) }
      try refuse("general.architecture is missing", [("general.architecture", .bools([]))])
      try refuse("\"gemma\" is not supported", [("general.architecture", text("gemma"))])
      for key in ["block_count", "embedding_length", "feed_forward_length", "attention.head_count", "context_length"] {
        try refuse("llama.\(key) is missing", [("llama.\(key)", .bools([]))])
        try refuse("expected an integer", [("llama.\(key)", .float(.nan))])
        try refuse("", [("llama.\(key)", .signed(-1))])
        try refuse("", [("llama.\(key)", .unsigned(0))])
        try refuse("", [("llama.\(key)", .unsigned(.max))])
        try refuse("", [("llama.\(key)", .signed(.max))])
      }
      try refuse("evenly", [("llama.attention.head_count_kv", .unsigned(3))])
      try refuse("expected an integer", [("llama.attention.head_count_kv", .integers([2, 2]))])
      try refuse("llama.rope.dimension_count is 8", [("llama.rope.dimension_count", .unsigned(8))])
      try refuse("ropeBase is nan", [("llama.rope.freq_base", .float(.nan))])
      try refuse("rmsEpsilon is inf", [("llama.attention.layer_norm_rms_epsilon", .float(.infinity))])
      try refuse("layer_norm_rms_epsilon is missing", [("llama.attention.layer_norm_rms_epsilon", .bools([]))])
      try refuse("rope scaling \"yarn\"", [("llama.rope.scaling.type", text("yarn"))])
      try refuse("linear rope scaling", [("llama.rope.scaling.factor", .float(2))])
      try refuse("mixture of 8 experts", [("llama.expert_count", .unsigned(8))])
      try refuse("outside the vocabulary", [("tokenizer.ggml.bos_token_id", .unsigned(40))])
      try refuse("no token id", [("tokenizer.ggml.eos_token_id", .unsigned(1 << 40))])
      try refuse("one of 3 parts", [("split.count", .unsigned(3))])
      try refuse("shape", [("llama.vocab_size", .unsigned(41))])
      try refuse("is missing", [("llama.block_count", .unsigned(4096))])
      try refuse("not part of a llama model of 1 blocks", [("llama.block_count", .unsigned(1))])
    }
  }

  @Test func ropeDivisorsThatAreNotLlama3AreRefused() throws {
    try withFolder { folder in
      let path = folder + "/m.gguf"
      func open(_ divisors: [Float]) throws -> LlamaConfiguration {
        try CheckpointWriter.writeGGUF(tiny, at: path, weights: exactWeights)
        let file = try GGUFFile.open(at: path)
        var tensors = file.tensors.values.map { info in
          GGUFWriter.Tensor(
            info.name, info.type!, dimensions: info.dimensions, bytes: file.bytes(of: info)!.withUnsafeBytes { [UInt8]($0) })
        }
        tensors.append(GGUFWriter.Tensor("rope_freqs.weight", .f32, dimensions: [divisors.count], bytes: StoredType.f32.encoded(divisors)))
        try GGUFWriter.write(to: path, metadata: file.metadata.sorted { $0.key < $1.key }, tensors: tensors)
        return try Checkpoint.open(at: path).configuration
      }
      let unscaled = try open([1, 1, 1, 1, 1, 1, 1, 1])
      #expect(unscaled.ropeScaling == nil)
      expectFault("is not Llama-3's rope scaling") { _ = try open([1, 3, 1, 2, 1, 2, 1, 2]) }
      expectFault("divisor below 1") { _ = try open([1, 1, 1, 1, 1, 1, 1, .nan]) }
      expectFault("no f32 vector of 8") { _ = try open([1, 1]) }
    }
  }

  @Test func aConfigurationSurvivesCoding() throws {
    var model = tiny
    model.ropeScaling = Llama3RopeScaling(factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: 64)
    #expect(try JSONDecoder().decode(LlamaConfiguration.self, from: JSONEncoder().encode(model)) == model)
  }
}
