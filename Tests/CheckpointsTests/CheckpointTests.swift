import Checkpoints
import Diagnostics
import Foundation
import TestSupport
import Testing

@Suite struct CheckpointTests {
  @Test(arguments: ["llama-tied", "mistral-f16", "qwen2-sharded"])
  func foldersGiveWhatPythonReads(_ name: String) throws {
    let checkpoint = try Checkpoint.open(at: Fixture.path("checkpoints/\(name)"))
    let expected = try #require(JSONValue.read(Fixture.path("checkpoints/expected.json")).asObject?[name]?.asObject)
    #expect(checkpoint.keys == expected.keys.sorted())
    #expect(checkpoint.folder == Fixture.path("checkpoints/\(name)") && checkpoint.gguf == nil)
    for (key, tensor) in expected {
      let shape = try #require(tensor.asObject?["shape"]?.asArray).compactMap { $0.asInt }
      let values: [Float]
      if shape.count == 2 {
        let matrix = try checkpoint.matrix(key)
        try matrix.checkFinite()
        #expect([matrix.rows, matrix.columns] == shape && matrix.name == key)
        values = matrix.widened()
      } else {
        values = try checkpoint.vector(key)
        #expect([values.count] == shape)
      }
      #expect(values.first.map(Double.init) == tensor.asObject?["first"]?.asDouble)
      #expect(values.last.map(Double.init) == tensor.asObject?["last"]?.asDouble)
      let sum = values.reduce(0) { $0 + Double(abs($1)) }
      #expect(abs(sum - (tensor.asObject?["sum"]?.asDouble ?? .nan)) <= 1e-9 * sum)
    }
  }

  @Test func ggufEqualsTheFolderItWasConvertedFrom() throws {
    let gguf = try Checkpoint.open(at: Fixture.path("checkpoints/llama-tied.gguf"))
    let folder = try Checkpoint.open(at: Fixture.path("checkpoints/llama-tied"))
    #expect(gguf.configuration == folder.configuration)
    #expect(gguf.keys == folder.keys)
    for key in folder.keys {
      if key.hasSuffix("norm.weight") {
        #expect(try gguf.vector(key) == folder.vector(key))
      } else {
        #expect(try gguf.matrix(key).widened() == folder.matrix(key).widened(), "\(key)")
      }
    }
    #expect(!gguf.has("lm_head.weight") && !folder.has("lm_head.weight"))
    #expect(try gguf.matrix("lm_head.weight").widened() == gguf.matrix("model.embed_tokens.weight").widened())
  }

  @Test(arguments: [StoredType.f32, .f16, .bf16, .q8_0, .q4_0, .q4_1, .q5_0, .q5_1])
  func whatIsWrittenComesBack(_ type: StoredType) throws {
    try withFolder { folder in
      var model = tiny
      for architecture in LlamaConfiguration.Architecture.allCases {
        model.architecture = architecture
        model.attentionBias = architecture == .qwen2
        model.tiedHead = architecture == .mistral
        model.slidingWindow = architecture == .mistral ? 32 : nil
        model.ropeScaling =
          architecture == .llama
          ? Llama3RopeScaling(factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContextLength: 64) : nil
        let path = "\(folder)/\(architecture).gguf"
        try CheckpointWriter.writeGGUF(model, at: path, type: type, weights: exactWeights)
        var read = try Checkpoint.open(at: path)
        var expected = model
        if architecture == .mistral { expected.architecture = .llama }
        #expect(read.configuration == expected)
        try expectWeights(of: read, exactly: type.isFloat)
        guard type.isFloat else { continue }
        for shards in [1, 3] {
          let home = "\(folder)/\(architecture)-\(shards)"
          try CheckpointWriter.writeFolder(model, at: home, type: type, shards: shards, weights: exactWeights)
          read = try Checkpoint.open(at: home)
          #expect(read.configuration == model)
          try expectWeights(of: read, exactly: true)
        }
      }
    }
  }

  private func expectWeights(of checkpoint: Checkpoint, exactly: Bool) throws {
    #expect(checkpoint.has("model.layers.1.self_attn.q_proj.bias") == checkpoint.configuration.attentionBias)
    #expect(checkpoint.has("lm_head.weight") == !checkpoint.configuration.tiedHead)
    for key in checkpoint.keys {
      if key.hasSuffix("norm.weight") || key.hasSuffix(".bias") {
        let values = try checkpoint.vector(key)
        #expect(values == exactWeights(key, [values.count]))
      } else {
        let matrix = try checkpoint.matrix(key)
        let expected = exactWeights(key, [matrix.rows, matrix.columns])
        // A step of the coarsest type at ±2 is 0.27.
        if exactly {
          #expect(matrix.widened() == expected)
        } else {
          #expect(zip(matrix.widened(), expected).allSatisfy { abs($0 - $1) < 0.28 })
        }
      }
    }
  }

  @Test func hashesNameTheWeights() throws {
    try withFolder { folder in
      try write([UInt8]("GGUF".utf8), to: folder + "/x")
      // sha256sum of the files themselves, and of the lines it prints for shards.
      let single = try Checkpoint.open(at: Fixture.path("checkpoints/llama-tied"))
      #expect(try single.sha256() == sum(Fixture.path("checkpoints/llama-tied/model.safetensors")))
      let gguf = Fixture.path("checkpoints/llama-tied.gguf")
      #expect(try Checkpoint.open(at: gguf).sha256() == sum(gguf))
      let names = (1...3).map { "model-0000\($0)-of-00003.safetensors" }
      let lines = try names.map { "\($0) \(try sum(Fixture.path("checkpoints/qwen2-sharded/\($0)")))\n" }.joined()
      try write(lines.utf8, to: folder + "/lines")
      #expect(try Checkpoint.open(at: Fixture.path("checkpoints/qwen2-sharded")).sha256() == sum(folder + "/lines"))
    }
  }

  /// What coreutils' sha256sum prints for `path`.
  private func sum(_ path: String) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["sha256sum", path]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    process.waitUntilExit()
    return String(decoding: pipe.fileHandleForReading.readDataToEndOfFile().prefix(64), as: UTF8.self)
  }

  @Test func unknownAndMismatchedTensorsAreRefused() throws {
    let checkpoint = try Checkpoint.open(at: Fixture.path("checkpoints/llama-tied"))
    expectFault("did you mean \"model.layers.0.self_attn.q_proj.weight\"?") {
      _ = try checkpoint.matrix("model.layers.0.self_attn.q_prj.weight")
    }
    expectFault("is missing") { _ = try checkpoint.matrix("model.layers.9.mlp.up_proj.weight") }
    expectFault("is no matrix") { _ = try checkpoint.matrix("model.norm.weight") }
    expectFault("is no vector") { _ = try checkpoint.vector("lm_head.weight") }

    try withFolder { folder in
      func refuse(
        _ words: String, _ change: (inout [String: [Float]], inout [String: [Int]]) -> Void, line: SourceLocation = #_sourceLocation
      ) throws {
        var (values, shapes): ([String: [Float]], [String: [Int]]) = ([:], [:])
        try CheckpointWriter.writeFolder(tiny, at: folder) { key, shape in
          (values[key], shapes[key]) = (exactWeights(key, shape), shape)
          return values[key]!
        }
        change(&values, &shapes)
        let names = shapes.keys.sorted()
        var writer = try SafetensorsWriter(to: folder + "/model.safetensors", entries: names.map { .init($0, shape: shapes[$0]!) })
        for name in names { try writer.write(values[name]!) }
        try writer.finish()
        expectFault(words, sourceLocation: line) { _ = try Checkpoint.open(at: folder) }
      }
      try refuse("\"model.norm.weight\" is missing") { values, shapes in shapes["model.norm.weight"] = nil }
      try refuse("\"lm_head.weight\" is missing") { values, shapes in shapes["lm_head.weight"] = nil }
      try refuse("has shape [64, 40]; the configuration needs [40, 64]") { values, shapes in shapes["lm_head.weight"]!.reverse() }
      try refuse("has shape [64, 1]") { values, shapes in shapes["model.norm.weight"] = [64, 1] }
      for extra in ["self_attn.o_proj.bias", "self_attn.q_norm.weight", "self_attn.q_proj.bias", "mlp.experts.0.up_proj.weight"] {
        try refuse("is not part of a llama model") { values, shapes in
          (values["model.layers.0.\(extra)"], shapes["model.layers.0.\(extra)"]) = ([1], [1])
        }
      }
      try refuse("is not part of a llama model of 2 blocks") { values, shapes in
        (values["model.layers.2.mlp.up_proj.weight"], shapes["model.layers.2.mlp.up_proj.weight"]) = ([1], [1])
      }
    }
  }

  @Test func damagedWeightsAreNamed() throws {
    try withFolder { folder in
      try CheckpointWriter.writeFolder(tiny, at: folder) { key, shape in
        var values = exactWeights(key, shape)
        if key == "model.layers.1.input_layernorm.weight" || key == "lm_head.weight" { values[7] = .nan }
        return values
      }
      let checkpoint = try Checkpoint.open(at: folder)
      expectFault("\"model.layers.1.input_layernorm.weight\" holds NaN") {
        _ = try checkpoint.vector("model.layers.1.input_layernorm.weight")
      }
      expectFault("\"lm_head.weight\" holds NaN") { try checkpoint.matrix("lm_head.weight").checkFinite() }
      try checkpoint.matrix("model.embed_tokens.weight").checkFinite()
    }
  }

  @Test func weightsThatAreNotAlignedAreRead() throws {
    try withFolder { folder in
      // An odd number of spaces at the end of the header shifts every tensor by one byte.
      try CheckpointWriter.writeFolder(tiny, at: folder, weights: exactWeights)
      var bytes = try contents(folder + "/model.safetensors")
      let length = Int(bytes[0]) | Int(bytes[1]) << 8
      bytes.insert(0x20, at: 8 + length)
      (bytes[0], bytes[1]) = (UInt8((length + 1) & 255), UInt8((length + 1) >> 8))
      try write(bytes, to: folder + "/model.safetensors")
      let checkpoint = try Checkpoint.open(at: folder)
      try expectWeights(of: checkpoint, exactly: true)
      try checkpoint.matrix("lm_head.weight").bytes.withUnsafeBytes { #expect(UInt(bitPattern: $0.baseAddress) % 4 == 0) }
    }
  }

  @Test func anIndexStaysInItsFolder() throws {
    try withFolder { folder in
      try CheckpointWriter.writeFolder(tiny, at: folder, weights: exactWeights)
      let weights = folder + "/model.safetensors"
      let outside = folder + "/../outside-\(UUID().uuidString).safetensors"
      try FileManager.default.moveItem(atPath: weights, toPath: outside)
      defer { try? FileManager.default.removeItem(atPath: outside) }
      expectFault("no model.safetensors", code: .missingInput) { _ = try Checkpoint.open(at: folder) }
      func refuse(_ words: String, _ index: String, code: Fault.Code = .invalidData, line: SourceLocation = #_sourceLocation) throws {
        try write(index.utf8, to: weights + ".index.json")
        expectFault(words, code: code, sourceLocation: line) { _ = try Checkpoint.open(at: folder) }
      }
      let name = URL(fileURLWithPath: outside).lastPathComponent
      let resolved = URL(fileURLWithPath: outside).standardizedFileURL.path
      for hostile in [
        "../\(name)", resolved, "a/../../\(name)", "..", ".safetensors", "x.bin", "", "a\\u0000.safetensors", "..\\\\x.safetensors",
      ] {
        try refuse("expected a .safetensors file of this folder", "{\"weight_map\":{\"model.norm.weight\":\"\(hostile)\"}}")
      }
      try refuse("names an integer", "{\"weight_map\":{\"model.norm.weight\":7}}")
      try refuse("weight_map is missing", "{}")
      try refuse("weight_map is missing", "{\"weight_map\":{}}")
      try refuse("invalid JSON", "{\"weight_map\":{\"a\":\"x.safetensors\",\"a\":\"y.safetensors\"}}")
      try refuse("cannot open", "{\"weight_map\":{\"a\":\"x.safetensors\"}}", code: .missingInput)
      try FileManager.default.copyItem(atPath: outside, toPath: folder + "/x.safetensors")
      try refuse("tensor \"a\" is not in x.safetensors", "{\"weight_map\":{\"a\":\"x.safetensors\"}}")
    }
  }

  @Test func missingPathsAreMissingInput() throws {
    expectFault("no such file", code: .missingInput) { _ = try Checkpoint.open(at: "/nonexistent/model.gguf") }
    try withFolder { folder in expectFault("no config.json", code: .missingInput) { _ = try Checkpoint.open(at: folder) } }
  }
}
