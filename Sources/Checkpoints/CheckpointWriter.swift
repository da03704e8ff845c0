import Diagnostics
import Foundation

/// Writes whole models, small ones: for tests, and for models made by this package.
package enum CheckpointWriter {
  /// The weights of a tensor, by its Hugging Face name and shape (`[length]` or `[rows, columns]`), row after row.
  package typealias Weights = (_ key: String, _ shape: [Int]) throws -> [Float]

  /// Writes `config.json` and `model.safetensors` into `folder`, which is made if need be; with `shards` > 1 so many files and their index.
  ///
  /// Throws `Fault(.cannotCreate)` or `Fault(.inputOutput)`, and what `weights` throws. Traps if `type` is quantised.
  package static func writeFolder(
    _ configuration: LlamaConfiguration, at folder: String, type: StoredType = .f32, shards: Int = 1, weights: Weights
  ) throws {
    precondition(shards >= 1, "\(shards) shards")
    try configuration.validated()
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw Fault(.cannotCreate, "cannot create the folder: \(error.localizedDescription)", at: folder)
    }
    try write(configuration.huggingFaceJSON, to: folder + "/config.json")
    let tensors = LlamaTensor.all(in: configuration)
    let perShard = (tensors.count + shards - 1) / shards
    var map: [String] = []
    for shard in 0..<shards {
      let part = tensors.dropFirst(shard * perShard).prefix(perShard)
      let name = shards == 1 ? "model.safetensors" : "model-\(number(shard + 1))-of-\(number(shards)).safetensors"
      map += part.map { "\(JSONValue.quoted($0.huggingFaceName)):\(JSONValue.quoted(name))" }
      let entries = part.map { SafetensorsWriter.Entry($0.huggingFaceName, type, shape: $0.shape(in: configuration)) }
      var writer = try SafetensorsWriter(to: "\(folder)/\(name)", entries: entries, metadata: ["format": "pt"])
      for tensor in part { try writer.write(checked(weights, tensor, configuration)) }
      try writer.finish()
    }
    if shards > 1 {
      try write("{\"metadata\":{},\"weight_map\":{\(map.joined(separator: ","))}}", to: folder + "/model.safetensors.index.json")
    }
  }

  /// Writes a GGUF file with the matrices stored as `type` and the vectors as f32; `metadata` is added, for example a tokenizer's.
  ///
  /// `weights` gives rows in Hugging Face's order; they are reordered as llama.cpp's converter does. Throws as `writeFolder`; traps if rows are
  /// no whole blocks of `type`, or there is no encoder for it.
  package static func writeGGUF(
    _ configuration: LlamaConfiguration, at path: String, type: StoredType = .f32, metadata: [(String, GGUFValue)] = [], weights: Weights
  ) throws {
    try configuration.validated()
    // llama.cpp files Mistral models under llama.
    var model = configuration
    if model.architecture == .mistral { model.architecture = .llama }
    var tensors: [GGUFWriter.Tensor] = []
    for tensor in LlamaTensor.all(in: model) {
      let shape = tensor.shape(in: model)
      let columns = shape.count == 2 ? shape[1] : 1
      var values = try checked(weights, tensor, model)
      if let heads = tensor.permutedHeads(in: model) { values = permuted(values, rows: shape[0], columns: columns, heads: heads) }
      let stored = shape.count == 2 ? type : .f32
      precondition(
        columns.isMultiple(of: stored.blockLength) || shape.count == 1, "rows of \(columns) are no whole blocks of \(stored.rawValue)")
      tensors.append(GGUFWriter.Tensor(tensor.ggufName, stored, dimensions: shape.reversed(), bytes: stored.encoded(values)))
    }
    if let scaling = model.ropeScaling {
      let divisors = (0..<model.headDimension / 2).map { index in
        Float(scaling.divisor(of: pow(model.ropeBase, -2 * Double(index) / Double(model.headDimension))))
      }
      tensors.append(GGUFWriter.Tensor("rope_freqs.weight", .f32, dimensions: [divisors.count], bytes: StoredType.f32.encoded(divisors)))
    }
    try GGUFWriter.write(to: path, metadata: model.ggufMetadata + metadata, tensors: tensors)
  }

  private static func checked(_ weights: Weights, _ tensor: LlamaTensor, _ configuration: LlamaConfiguration) throws -> [Float] {
    let shape = tensor.shape(in: configuration)
    let values = try weights(tensor.huggingFaceName, shape)
    precondition(values.count == shape.reduce(1, *), "\(values.count) values are no \(shape) (\(tensor.huggingFaceName))")
    return values
  }

  /// Rows j and j + half of each head become rows 2j and 2j + 1.
  private static func permuted(_ values: [Float], rows: Int, columns: Int, heads: Int) -> [Float] {
    let dimension = rows / heads
    let order = (0..<rows).map { row in
      let (head, within) = (row / dimension, row % dimension)
      return head * dimension + within % 2 * (dimension / 2) + within / 2
    }
    return order.flatMap { values[$0 * columns..<($0 + 1) * columns] }
  }

  private static func write(_ text: String, to path: String) throws {
    var file = try AtomicFile(path)
    try file.write([UInt8](text.utf8))
    try file.finish()
  }

  private static func number(_ value: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }
}
