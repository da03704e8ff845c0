import Diagnostics
import Foundation

/// The weights of a Hugging Face folder: `model.safetensors`, or the shards that `model.safetensors.index.json` names.
struct SafetensorsFolder: Sendable {
  /// Sorted by name.
  let files: [SafetensorsFile]
  /// Tensor name → index into `files`.
  let shardOfTensor: [String: Int]

  init(at folder: String) throws {
    let single = folder + "/model.safetensors"
    let index = folder + "/model.safetensors.index.json"
    if FileManager.default.fileExists(atPath: single) {
      let file = try SafetensorsFile.open(at: single)
      files = [file]
      shardOfTensor = file.tensors.mapValues { _ in 0 }
      return
    }
    guard FileManager.default.fileExists(atPath: index) else {
      throw Fault(
        .missingInput, "no model.safetensors and no model.safetensors.index.json in the folder", at: folder,
        hint: "folders with only pytorch_model.bin must be converted to safetensors")
    }
    let map = try Self.weightMap(at: index)
    let names = Set(map.values).sorted()
    files = try names.map { try SafetensorsFile.open(at: "\(folder)/\($0)") }
    let position = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
    var shards: [String: Int] = [:]
    for (tensor, name) in map {
      guard let shard = position[name], files[shard].tensors[tensor] != nil else {
        throw Fault(.invalidData, "tensor \"\(tensor)\" is not in \(name), where the index has it", at: index)
      }
      shards[tensor] = shard
    }
    shardOfTensor = shards
  }

  func tensor(_ name: String) -> (file: SafetensorsFile, info: SafetensorsInfo)? {
    guard let shard = shardOfTensor[name], let info = files[shard].tensors[name] else { return nil }
    return (files[shard], info)
  }

  /// Tensor name → file name. Only plain names of .safetensors files are accepted, so that an index cannot point outside its folder.
  private static func weightMap(at path: String) throws -> [String: String] {
    let json = try JSONValue.read(path)
    guard let map = json.asObject?["weight_map"]?.asObject, !map.isEmpty, map.count <= 1 << 18 else {
      throw Fault(.invalidData, "weight_map is missing or empty", at: path)
    }
    return try map.mapValues { value in
      guard let name = value.asString, name.hasSuffix(".safetensors"), name.utf8.count <= 255, !name.hasPrefix("."),
        name.utf8.allSatisfy({ $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "\\") && $0 >= 0x20 })
      else {
        throw Fault(
          .invalidData, "weight_map names \(value.asString.map { "\"\($0)\"" } ?? value.kind); expected a .safetensors file of this folder",
          at: path)
      }
      return name
    }
  }
}

extension JSONValue {
  /// The JSON document in the file `path`, of at most 64 MiB.
  package static func read(_ path: String) throws -> JSONValue {
    let bytes = try MappedBytes(contentsOf: path)
    guard bytes.count <= 64 << 20 else { throw Fault(.invalidData, "\(bytes.count) bytes are too many for this JSON file", at: path) }
    do {
      return try bytes.withUnsafeBytes { try JSONValue.parse($0) }
    } catch let fault as Fault {
      throw fault.located(at: path)
    }
  }
}
