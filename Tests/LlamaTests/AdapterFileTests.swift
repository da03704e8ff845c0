import Checkpoints
import Diagnostics
import Foundation
import Kernels
import Llama
import TestSupport
import Testing

@Suite struct AdapterFileTests {
  private func trained() throws -> TrainableStack {
    let model = try LlamaModel(Checkpoint.open(at: Fixture.path("llama/tiny-gqa")))
    var trainable = TrainableStack(model.stack, AdapterSettings(targets: [.query, .down], rank: 3, alpha: 6), seed: 4)
    for i in trainable.adapters.indices {
      for target in trainable.adapters[i].targets {
        let count = trainable.adapters[i].pairs[target]!.b.values.count
        trainable.adapters[i].pairs[target]!.b.values = (0..<count).map { Float($0 + i) / 100 }
      }
    }
    return trainable
  }

  @Test func whatIsWrittenIsRead() throws {
    let trainable = try trained()
    try withFolder { folder in
      try AdapterFile.write(trainable.adapters, trainable.settings, to: folder)
      let (adapters, settings) = try AdapterFile.read(folder, for: trainable.stack)
      #expect(adapters == trainable.adapters)
      #expect(settings == trainable.settings)
      // The names that PEFT uses.
      let file = try SafetensorsFile.open(at: folder + "/adapter_model.safetensors")
      #expect(file.tensors["base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight"]?.shape == [3, 32])
      #expect(file.tensors["base_model.model.model.layers.3.mlp.down_proj.lora_B.weight"]?.shape == [32, 3])
      #expect(file.tensors.count == 4 * 2 * 2)
    }
  }

  /// A server keeps its own blocks: their adapters carry the indices of the whole model.
  @Test func partsKeepTheirIndices() throws {
    let trainable = try trained()
    try withFolder { folder in
      try AdapterFile.write(Array(trainable.adapters[1..<3]), first: 1, trainable.settings, to: folder)
      let (adapters, _) = try AdapterFile.read(folder, for: trainable.stack[1..<3])
      #expect(adapters == Array(trainable.adapters[1..<3]))
      #expect(throws: Fault.self) { try AdapterFile.read(folder, for: trainable.stack) }
    }
  }

  @Test func brokenFilesAreFaults() throws {
    let trainable = try trained()
    try withFolder { folder in
      #expect(throws: Fault.self) { try AdapterFile.read(folder, for: trainable.stack) }
      try AdapterFile.write(trainable.adapters, trainable.settings, to: folder)
      let path = folder + "/adapter_config.json"
      let good = try String(contentsOfFile: path, encoding: .utf8)
      for (old, new) in [("\"r\" : 3", "\"r\" : 0"), ("\"r\" : 3", "\"r\" : 5"), ("q_proj", "c_attn"), ("{", "[")] {
        try good.replacingOccurrences(of: old, with: new).write(toFile: path, atomically: true, encoding: .utf8)
        #expect(throws: Fault.self, "\(new)") { try AdapterFile.read(folder, for: trainable.stack) }
      }
      try good.write(toFile: path, atomically: true, encoding: .utf8)
      var random = SplitMix(state: 8)
      let tensors = try Data(contentsOf: URL(filePath: folder + "/adapter_model.safetensors"))
      for _ in 0..<300 {
        try mutate(tensors, using: &random).write(to: URL(filePath: folder + "/adapter_model.safetensors"))
        do { _ = try AdapterFile.read(folder, for: trainable.stack) } catch { #expect(error is Fault, "\(error)") }
      }
    }
  }
}
