import Diagnostics

/// One tensor of a GGUF header.
package struct GGUFTensorInfo: Sendable, Equatable {
  package let name: String
  /// One to four positive lengths, the fastest-varying (columns) first, as ggml has it.
  package let dimensions: [Int]
  /// ggml's number of the stored type.
  package let typeNumber: UInt32
  /// Nil if the type is not supported.
  package let type: StoredType?
  /// Where the tensor lies in the file; nil if the type is not supported, because its size is unknown.
  package let range: Range<Int>?
}

/// A memory-mapped GGUF file, version 3 or 2 (same layout), little-endian: its metadata, and where its tensors lie.
///
/// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. All lengths and offsets are checked when the file is opened.
package struct GGUFFile: Sendable {
  package let path: String
  package let version: UInt32
  package let metadata: [String: GGUFValue]
  package let tensors: [String: GGUFTensorInfo]
  /// The whole file.
  package let bytes: MappedBytes

  /// Maps and parses the file at `path`. Throws `Fault(.missingInput)` if it cannot be read and `Fault(.invalidData)` if it is no sound GGUF.
  package static func open(at path: String) throws -> GGUFFile {
    try GGUFFile(parsing: MappedBytes(contentsOf: path), path: path)
  }

  /// Parses a GGUF file that is already in memory; `path` is for messages.
  package init(parsing bytes: MappedBytes, path: String) throws {
    do {
      let header = try bytes.withUnsafeBytes { try GGUFHeader(parsing: $0) }
      self.path = path
      self.bytes = bytes
      version = header.version
      metadata = header.metadata
      tensors = header.tensors
    } catch let fault as Fault {
      throw fault.located(at: path)
    }
  }

  /// The stored bytes of `tensor`, which must be of this file; nil if its type is not supported.
  package func bytes(of tensor: GGUFTensorInfo) -> MappedBytes? { tensor.range.map(bytes.slice) }
}
