import Crypto
import Diagnostics
import Foundation

/// A LLaMA-family model on disk, memory-mapped: a GGUF file, or a Hugging Face folder. Tensors go by their Hugging Face names.
///
/// Opening it checks that every tensor of the configuration is there, in its shape, within the file; weights are read on demand.
package struct Checkpoint: Sendable {
  package let path: String
  package let configuration: LlamaConfiguration
  /// The GGUF file, if it is one; it holds the tokenizer too.
  package let gguf: GGUFFile?
  /// The Hugging Face folder, if it is one.
  package let folder: String?
  private let weights: SafetensorsFolder?

  /// Opens a .gguf file, or a folder with config.json. Throws `Fault`: `.missingInput` if a file cannot be read, `.invalidData` if
  /// the model is damaged or not supported.
  package static func open(at path: String) throws -> Checkpoint {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw Fault(.missingInput, "no such file or folder", at: path, hint: "give a .gguf file or a folder with config.json")
    }
    do {
      guard isFolder.boolValue else { return try Checkpoint(gguf: GGUFFile.open(at: path)) }
      return try Checkpoint(folder: path)
    } catch let fault as Fault {
      throw fault.located(at: path)
    }
  }

  /// The model in an open GGUF file; throws `Fault(.invalidData)` as `open` does.
  package init(gguf file: GGUFFile) throws {
    (path, gguf, folder, weights) = (file.path, file, nil, nil)
    do {
      configuration = try GGUFConfiguration.parse(file)
      try checkTensors()
    } catch let fault as Fault {
      throw fault.located(at: file.path)
    }
  }

  private init(folder path: String) throws {
    let config = path + "/config.json"
    guard FileManager.default.fileExists(atPath: config) else { throw Fault(.missingInput, "no config.json in the folder", at: path) }
    let generation = path + "/generation_config.json"
    let json = try (JSONValue.read(config), FileManager.default.fileExists(atPath: generation) ? JSONValue.read(generation) : nil)
    do {
      configuration = try LlamaConfiguration(huggingFace: json.0, generation: json.1)
    } catch let fault as Fault {
      throw fault.located(at: config)
    }
    (self.path, gguf, folder, weights) = (path, nil, path, try SafetensorsFolder(at: path))
    try checkTensors()
  }

  /// The Hugging Face names of the tensors that the file or folder holds, sorted.
  package var keys: [String] {
    if let gguf { return gguf.tensors.keys.compactMap { LlamaTensor(ggufName: $0)?.huggingFaceName }.sorted() }
    return weights!.shardOfTensor.keys.sorted()
  }

  /// Whether the file or folder holds the tensor `key` (a Hugging Face name). A tied head is not held.
  package func has(_ key: String) -> Bool {
    if let weights { return weights.shardOfTensor[key] != nil }
    return LlamaTensor(huggingFaceName: key).map { gguf!.tensors[$0.ggufName] != nil } ?? false
  }

  /// The matrix `huggingFaceKey`, for example `model.layers.0.self_attn.q_proj.weight`; a tied `lm_head.weight` is the embedding.
  ///
  /// It stays mapped, except that rows of Q and K which llama.cpp reordered (architectures llama and mistral) come back in Hugging
  /// Face's order, for rotations of the two halves of a head, as bytes of our own. Throws `Fault(.invalidData)` for a name that the
  /// model does not have, a vector, or a type that is not supported. Weights are not scanned: see `StoredMatrix.checkFinite`.
  package func matrix(_ huggingFaceKey: String) throws -> StoredMatrix {
    let tensor = try tensor(huggingFaceKey)
    let shape = tensor.shape(in: configuration)
    guard shape.count == 2 else { throw Fault(.invalidData, "tensor \"\(huggingFaceKey)\" is no matrix", at: path) }
    let (type, bytes) = try stored(tensor)
    return StoredMatrix(name: huggingFaceKey, type: type, rows: shape[0], columns: shape[1], bytes: bytes)
  }

  /// The vector `huggingFaceKey` (a norm's gain or a bias) in f32. Throws `Fault(.invalidData)` as `matrix` does, and for NaN or Inf.
  package func vector(_ huggingFaceKey: String) throws -> [Float] {
    let tensor = try tensor(huggingFaceKey)
    let shape = tensor.shape(in: configuration)
    guard shape.count == 1 else { throw Fault(.invalidData, "tensor \"\(huggingFaceKey)\" is no vector", at: path) }
    let (type, bytes) = try stored(tensor)
    // One weight a row, so that rows can be reordered like a matrix's; `stored` refuses vectors in blocks.
    let vector = StoredMatrix(name: huggingFaceKey, type: type, rows: shape[0], columns: 1, bytes: bytes)
    do { try vector.checkFinite() } catch let fault as Fault { throw fault.located(at: path) }
    return vector.widened()
  }

  /// SHA-256 in lowercase hexadecimal: of the weight file; if there are several, of the lines `name sha256\n`, sorted by name.
  package func sha256() throws -> String {
    if let gguf { return Self.hexadecimal(of: gguf.bytes) }
    let files = weights!.files
    if files.count == 1 { return Self.hexadecimal(of: files[0].bytes) }
    let lines = files.map { "\(URL(fileURLWithPath: $0.path).lastPathComponent) \(Self.hexadecimal(of: $0.bytes))\n" }
    return Self.hexadecimal(of: MappedBytes([UInt8](lines.joined().utf8)))
  }

  private static func hexadecimal(of bytes: MappedBytes) -> String {
    var hash = SHA256()
    bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
    return hash.finalize().map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  // MARK: Tensors

  private func tensor(_ key: String) throws -> LlamaTensor {
    guard let tensor = LlamaTensor(huggingFaceName: key) else {
      throw Fault(
        .invalidData, "a \(configuration.architecture.rawValue) model has no tensor \"\(key)\"", at: path, hint: nameHint(key, among: keys))
    }
    return tensor == .head && configuration.tiedHead ? .embedding : tensor
  }

  /// The stored type and bytes of `tensor`, in its shape and in Hugging Face's row order.
  private func stored(_ tensor: LlamaTensor) throws -> (StoredType, MappedBytes) {
    let shape = tensor.shape(in: configuration)
    let (type, bytes) = try located(tensor)
    guard gguf != nil, let heads = tensor.permutedHeads(in: configuration) else { return (type, bytes) }
    return (type, Self.unpermuted(bytes, rows: shape[0], heads: heads))
  }

  /// Finds `tensor` in the file or folder, and checks its type and shape.
  private func located(_ tensor: LlamaTensor) throws -> (StoredType, MappedBytes) {
    let expected = tensor.shape(in: configuration)
    let name = gguf == nil ? tensor.huggingFaceName : tensor.ggufName
    let (type, found, bytes): (StoredType?, [Int], MappedBytes?)
    let stated: String
    if let gguf {
      guard let info = gguf.tensors[name] else { throw missing(name) }
      (type, found, bytes, stated) = (info.type, info.dimensions.reversed(), gguf.bytes(of: info), "ggml type \(info.typeNumber)")
    } else {
      guard let (file, info) = weights!.tensor(name) else { throw missing(name) }
      (type, found, bytes, stated) = (info.type, info.shape, file.bytes(of: info), info.dtype)
    }
    guard let type, let bytes else {
      let known = StoredType.allCases.map(\.rawValue).joined(separator: ", ")
      throw Fault(.invalidData, "tensor \"\(name)\" is stored as \(stated), which is not supported; supported are \(known)", at: path)
    }
    guard found == expected else {
      throw Fault(.invalidData, "tensor \"\(name)\" has shape \(found); the configuration needs \(expected)", at: path)
    }
    guard expected.count == 2 || type.isFloat else {
      throw Fault(.invalidData, "the vector \"\(name)\" is stored as \(type.rawValue)", at: path)
    }
    return (type, bytes)
  }

  private func missing(_ name: String) -> Fault {
    Fault(.invalidData, "tensor \"\(name)\" is missing", at: path)
  }

  private func checkTensors() throws {
    let expected = LlamaTensor.all(in: configuration)
    for tensor in expected { _ = try located(tensor) }
    // A weight of a block that nobody reads means another architecture, so the output would be silently wrong.
    let known = Set(expected)
    let names = gguf.map { Array($0.tensors.keys) } ?? Array(weights!.shardOfTensor.keys)
    for name in names.sorted() where name.hasPrefix("model.layers.") || name.hasPrefix("blk.") {
      if name.hasSuffix(".rotary_emb.inv_freq") { continue }
      let tensor = gguf == nil ? LlamaTensor(huggingFaceName: name) : LlamaTensor(ggufName: name)
      guard let tensor, known.contains(tensor) else {
        throw Fault(
          .invalidData,
          "tensor \"\(name)\" is not part of a \(configuration.architecture.rawValue) model of \(configuration.blocks) blocks", at: path)
      }
    }
  }

  /// Undoes the row order of llama.cpp's converter: within a head, rows 2j and 2j + 1 go to j and j + half.
  private static func unpermuted(_ bytes: MappedBytes, rows: Int, heads: Int) -> MappedBytes {
    let rowBytes = bytes.count / rows
    let half = rows / heads / 2
    return bytes.withUnsafeBytes { source in
      MappedBytes(count: source.count) { target in
        for head in 0..<heads {
          for j in 0..<half {
            for side in 0..<2 {
              let (from, to) = ((head * 2 * half + 2 * j + side) * rowBytes, (head * 2 * half + side * half + j) * rowBytes)
              UnsafeMutableRawBufferPointer(rebasing: target[to..<to + rowBytes])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[from..<from + rowBytes]))
            }
          }
        }
      }
    }
  }
}
