import Diagnostics

/// One tensor of a safetensors header.
package struct SafetensorsInfo: Sendable, Equatable {
  /// The dtype as the file writes it: `F32`, `F16`, `BF16`, `I64`, …
  package let dtype: String
  /// Lengths, the slowest-varying first; empty for a scalar.
  package let shape: [Int]
  /// Where the tensor lies in the file.
  package let range: Range<Int>

  /// Nil unless the tensor holds f32, f16 or bf16.
  package var type: StoredType? {
    switch dtype {
    case "F32": .f32
    case "F16": .f16
    case "BF16": .bf16
    default: nil
    }
  }
}

/// A memory-mapped safetensors file: where its tensors lie. They must fill the data without holes or overlap.
///
/// Format: https://huggingface.co/docs/safetensors. All lengths and offsets are checked when the file is opened.
package struct SafetensorsFile: Sendable {
  package let path: String
  package let tensors: [String: SafetensorsInfo]
  /// `__metadata__`.
  package let metadata: [String: String]
  /// The whole file.
  package let bytes: MappedBytes

  private static let longestHeader: UInt64 = 100_000_000
  private static let elementBits = [
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32,
    "U32": 32,
    "F32": 32, "I64": 64, "U64": 64, "F64": 64, "C64": 64,
  ]

  /// Maps and parses the file at `path`. Throws `Fault(.missingInput)` if it cannot be read, `Fault(.invalidData)` if it is not sound.
  package static func open(at path: String) throws -> SafetensorsFile {
    try SafetensorsFile(parsing: MappedBytes(contentsOf: path), path: path)
  }

  /// Parses a file that is already in memory; `path` is for messages.
  package init(parsing bytes: MappedBytes, path: String) throws {
    do {
      (tensors, metadata) = try bytes.withUnsafeBytes { try Self.parse($0) }
    } catch let fault as Fault {
      throw fault.located(at: path)
    }
    self.path = path
    self.bytes = bytes
  }

  /// The values of the F32 tensor `name`. Throws `Fault(.invalidData)` unless it is there, has this shape and is finite.
  package func floats(_ name: String, shape: [Int]) throws -> [Float] {
    guard let info = tensors[name], info.type == .f32, info.shape == shape else {
      throw Fault(.invalidData, "tensor \"\(name)\" is missing or is not F32 \(shape)", at: path)
    }
    let values = bytes(of: info).withUnsafeBytes { raw in
      (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
    guard values.allSatisfy(\.isFinite) else { throw Fault(.invalidData, "tensor \"\(name)\" holds NaN or infinite values", at: path) }
    return values
  }

  /// The stored bytes of the tensor `info`, which must be of this file.
  package func bytes(of info: SafetensorsInfo) -> MappedBytes { bytes.slice(info.range) }

  private static func parse(_ bytes: UnsafeRawBufferPointer) throws -> ([String: SafetensorsInfo], [String: String]) {
    var reader = ByteReader(bytes)
    let headerLength = try reader.integer(UInt64.self, "the header length")
    guard headerLength <= longestHeader else {
      throw Fault(.invalidData, "expected a safetensors file, and found a header length of \(headerLength) bytes")
    }
    let header = try reader.take(headerLength, "the header")
    guard header.first == UInt8(ascii: "{"), case .object(var entries) = try JSONValue.parse(header) else {
      throw Fault(.invalidData, "the safetensors header is no JSON object")
    }
    let metadata = try metadata(entries.removeValue(forKey: "__metadata__"))
    var tensors: [String: SafetensorsInfo] = [:]
    tensors.reserveCapacity(entries.count)
    for (name, entry) in entries { tensors[name] = try info(name, entry, dataStart: reader.offset, dataLength: reader.remaining) }
    try checkCover(tensors, from: reader.offset, to: bytes.count)
    return (tensors, metadata)
  }

  private static func metadata(_ value: JSONValue?) throws -> [String: String] {
    guard let value else { return [:] }
    let strings = value.asObject?.compactMapValues(\.asString)
    guard let strings, strings.count == value.asObject?.count else {
      throw Fault(.invalidData, "the safetensors __metadata__ is no object of strings")
    }
    return strings
  }

  private static func info(_ name: String, _ entry: JSONValue, dataStart: Int, dataLength: Int) throws -> SafetensorsInfo {
    guard let entry = entry.asObject, let dtype = entry["dtype"]?.asString, let bits = elementBits[dtype] else {
      throw Fault(.invalidData, "tensor \"\(name)\" has no known dtype")
    }
    guard let lengths = entry["shape"]?.asArray, lengths.count <= 16 else {
      throw Fault(.invalidData, "tensor \"\(name)\" has no valid shape")
    }
    var size = bits / 8
    let shape = try lengths.map { length in
      guard let length = length.asInt, length >= 0 else { throw Fault(.invalidData, "tensor \"\(name)\" has no valid shape") }
      let (product, overflow) = size.multipliedReportingOverflow(by: length)
      guard !overflow else { throw Fault(.invalidData, "the shape of tensor \"\(name)\" is too large") }
      size = product
      return length
    }
    let offsets = entry["data_offsets"]?.asArray?.map(\.asInt)
    guard let offsets, offsets.count == 2, let begin = offsets[0], let end = offsets[1], begin >= 0, begin <= end, end <= dataLength else {
      throw Fault(.invalidData, "tensor \"\(name)\" has no data_offsets within the \(dataLength) bytes of data")
    }
    guard end - begin == size else {
      throw Fault(.invalidData, "tensor \"\(name)\" (\(dtype) \(shape)) needs \(size) bytes, and its data_offsets span \(end - begin)")
    }
    return SafetensorsInfo(dtype: dtype, shape: shape, range: dataStart + begin..<dataStart + end)
  }

  private static func checkCover(_ tensors: [String: SafetensorsInfo], from start: Int, to end: Int) throws {
    var position = start
    for (name, info) in tensors.sorted(by: {
      ($0.value.range.lowerBound, $0.value.range.upperBound) < ($1.value.range.lowerBound, $1.value.range.upperBound)
    }) {
      guard info.range.lowerBound == position else {
        throw Fault(
          .invalidData, "tensor \"\(name)\" \(info.range.lowerBound < position ? "overlaps another one" : "leaves a gap before it")")
      }
      position = info.range.upperBound
    }
    guard position == end else { throw Fault(.invalidData, "\(end - position) bytes at the end of the file belong to no tensor") }
  }
}
