import Checkpoints
import Diagnostics
import Foundation
import Kernels

/// Adapters in PEFT's format: a folder with adapter_model.safetensors and adapter_config.json, which `PeftModel.from_pretrained` reads.
package enum AdapterFile {
  private static func key(_ block: Int, _ target: AdapterTarget, _ part: String) -> String {
    let group = [.gate, .up, .down].contains(target) ? "mlp" : "self_attn"
    return "base_model.model.model.layers.\(block).\(group).\(target.rawValue).lora_\(part).weight"
  }

  /// Writes the adapters of blocks `first`… of a model; replaces files that are there.
  package static func write(_ adapters: [BlockAdapters], first: Int = 0, _ settings: AdapterSettings, to folder: String) throws {
    do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
      throw Fault(.cannotCreate, "the folder cannot be made: \(error.localizedDescription)", at: folder)
    }
    var entries: [(SafetensorsWriter.Entry, [Float])] = []
    for (i, block) in adapters.enumerated() {
      for target in block.targets {
        guard let pair = block.pairs[target] else { continue }
        entries.append((.init(key(first + i, target, "A"), shape: [pair.a.rows, pair.a.columns]), pair.a.values))
        entries.append((.init(key(first + i, target, "B"), shape: [pair.b.rows, pair.b.columns]), pair.b.values))
      }
    }
    var writer = try SafetensorsWriter(to: folder + "/adapter_model.safetensors", entries: entries.map(\.0), metadata: ["format": "pt"])
    for (_, values) in entries { try writer.write(values) }
    try writer.finish()
    let configuration: [String: Any] = [
      "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": settings.rank, "lora_alpha": settings.alpha,
      "lora_dropout": Double(settings.dropout), "bias": "none",
      "target_modules": settings.targets.map(\.rawValue), "inference_mode": true, "fan_in_fan_out": false, "use_rslora": false,
    ]
    let data = try JSONSerialization.data(withJSONObject: configuration, options: [.prettyPrinted, .sortedKeys])
    do { try data.write(to: URL(filePath: folder + "/adapter_config.json"), options: .atomic) } catch {
      throw Fault(.inputOutput, "cannot write: \(error.localizedDescription)", at: folder + "/adapter_config.json")
    }
  }

  /// Reads the adapters of all blocks of a model. Throws on missing files, wrong shapes and values that are not finite.
  package static func read(_ folder: String, for stack: BlockStack) throws -> (adapters: [BlockAdapters], settings: AdapterSettings) {
    let path = folder + "/adapter_config.json"
    guard let data = FileManager.default.contents(atPath: path) else { throw Fault(.missingInput, "there is no such file", at: path) }
    let json = try data.withUnsafeBytes { try JSONValue.parse($0) }.asObject ?? [:]
    guard let rank = json["r"]?.asInt, (1...4096).contains(rank), let alpha = json["lora_alpha"]?.asDouble, alpha.isFinite,
      let names = json["target_modules"]?.asArray?.map({ $0.asString.flatMap(AdapterTarget.init) }), !names.isEmpty, !names.contains(nil)
    else {
      throw Fault(.invalidData, "no LoRA configuration: r, lora_alpha and target_modules of a LLaMA are expected", at: path)
    }
    let targets = Set(names.compactMap { $0 })
    let file = try SafetensorsFile.open(at: folder + "/adapter_model.safetensors")
    func matrix(_ name: String, _ rows: Int, _ columns: Int) throws -> Matrix {
      Matrix(rows: rows, columns: columns, values: try file.floats(name, shape: [rows, columns]))
    }
    let adapters = try stack.blocks.enumerated().map { i, block in
      BlockAdapters(
        Dictionary(
          uniqueKeysWithValues: try targets.map { target in
            let weight = block[target]
            return (
              target,
              LowRankAdapter(
                a: try matrix(key(stack.first + i, target, "A"), rank, weight.columns),
                b: try matrix(key(stack.first + i, target, "B"), weight.rows, rank))
            )
          }))
    }
    return (adapters, AdapterSettings(targets: AdapterTarget.allCases.filter(targets.contains), rank: rank, alpha: Float(alpha)))
  }
}
