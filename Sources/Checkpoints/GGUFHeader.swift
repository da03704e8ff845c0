import Diagnostics

/// The parser behind `GGUFFile`. Nothing is allocated on the word of the file: every count is first held against the bytes that are left.
struct GGUFHeader {
  let version: UInt32
  private(set) var metadata: [String: GGUFValue] = [:]
  private(set) var tensors: [String: GGUFTensorInfo] = [:]

  /// Header limits far above every published model, so that a hostile file cannot make us hold many times its size.
  private enum Limit {
    static let entries: UInt64 = 1 << 16
    static let tensors: UInt64 = 1 << 18
    static let nameBytes: UInt64 = 1 << 10
    static let dimension: UInt64 = 1 << 40
    static let alignment = 1 << 20
  }

  init(parsing bytes: UnsafeRawBufferPointer) throws {
    var reader = ByteReader(bytes)
    let magic = try reader.take(4, "the magic number")
    guard magic.elementsEqual("GGUF".utf8) else {
      throw Fault(
        .invalidData, "expected a GGUF file, and found no \"GGUF\" at its start", hint: "give a .gguf file or a folder with config.json")
    }
    version = try reader.integer(UInt32.self, "the version")
    guard version == 3 || version == 2 else {
      let bigEndian = version.byteSwapped <= 3
      throw Fault(
        .invalidData,
        bigEndian ? "this GGUF file is big-endian; only little-endian ones are supported" : "GGUF version \(version) is not supported",
        hint: "convert the model again with a current llama.cpp (GGUF version 3)")
    }
    let tensorCount = try reader.integer(UInt64.self, "the number of tensors")
    let entryCount = try reader.integer(UInt64.self, "the number of metadata entries")
    // The shortest entry is a length, a key of one byte, a type and a value of one byte; the shortest tensor has one dimension.
    guard entryCount <= Limit.entries, entryCount <= UInt64(reader.remaining / (8 + 1 + 4 + 1)) else {
      throw Fault(.invalidData, "the header announces \(entryCount) metadata entries, more than the file can hold")
    }
    guard tensorCount <= Limit.tensors, tensorCount <= UInt64(reader.remaining / (8 + 1 + 4 + 8 + 4 + 8)) else {
      throw Fault(.invalidData, "the header announces \(tensorCount) tensors, more than the file can hold")
    }
    try readMetadata(Int(entryCount), from: &reader)
    try readTensors(Int(tensorCount), from: &reader)
  }

  private mutating func readMetadata(_ count: Int, from reader: inout ByteReader) throws {
    metadata.reserveCapacity(count)
    var values = GGUFValueReader()
    for index in 0..<count {
      let key = try Self.name(from: &reader, "the key of metadata entry \(index)")
      let value = try values.value(of: key, from: &reader)
      guard metadata.updateValue(value, forKey: key) == nil else { throw Fault(.invalidData, "metadata key \"\(key)\" stands twice") }
    }
  }

  private mutating func readTensors(_ count: Int, from reader: inout ByteReader) throws {
    struct Declared {
      let name: String, dimensions: [Int], typeNumber: UInt32, offset: UInt64
    }
    var declared: [Declared] = []
    declared.reserveCapacity(count)
    for index in 0..<count {
      let name = try Self.name(from: &reader, "the name of tensor \(index)")
      let rank = try reader.integer(UInt32.self, "the rank of tensor \"\(name)\"")
      guard (1...4).contains(rank) else { throw Fault(.invalidData, "tensor \"\(name)\" has \(rank) dimensions; expected 1 to 4") }
      let dimensions = try (0..<rank).map { _ in
        let length = try reader.integer(UInt64.self, "the shape of tensor \"\(name)\"")
        guard (1...Limit.dimension).contains(length) else { throw Fault(.invalidData, "tensor \"\(name)\" has a dimension of \(length)") }
        return Int(length)
      }
      let typeNumber = try reader.integer(UInt32.self, "the type of tensor \"\(name)\"")
      let offset = try reader.integer(UInt64.self, "the offset of tensor \"\(name)\"")
      declared.append(Declared(name: name, dimensions: dimensions, typeNumber: typeNumber, offset: offset))
    }

    let alignment = try alignment()
    let dataStart = (reader.offset + alignment - 1) / alignment * alignment
    tensors.reserveCapacity(count)
    for tensor in declared {
      let info = try Self.locate(
        tensor.name, tensor.dimensions, tensor.typeNumber, tensor.offset, alignment: alignment, dataStart: dataStart,
        fileLength: reader.bytes.count)
      guard tensors.updateValue(info, forKey: tensor.name) == nil else {
        throw Fault(.invalidData, "tensor \"\(tensor.name)\" stands twice")
      }
    }
    try checkOverlap()
  }

  private static func locate(
    _ name: String, _ dimensions: [Int], _ typeNumber: UInt32, _ offset: UInt64, alignment: Int, dataStart: Int, fileLength: Int
  ) throws -> GGUFTensorInfo {
    guard offset.isMultiple(of: UInt64(alignment)) else {
      throw Fault(.invalidData, "tensor \"\(name)\" starts at offset \(offset), which is no multiple of the alignment \(alignment)")
    }
    guard dataStart <= fileLength, offset <= UInt64(fileLength - dataStart) else {
      throw Fault(.invalidData, "truncated: tensor \"\(name)\" starts \(offset) bytes into the data, beyond the end of the file")
    }
    guard let type = StoredType(ggmlNumber: typeNumber) else {
      return GGUFTensorInfo(name: name, dimensions: dimensions, typeNumber: typeNumber, type: nil, range: nil)
    }
    var rows = 1
    for length in dimensions.dropFirst() {
      let (product, overflow) = rows.multipliedReportingOverflow(by: length)
      guard !overflow else { throw Fault(.invalidData, "tensor \"\(name)\" has an impossible shape \(dimensions)") }
      rows = product
    }
    guard let count = type.byteCount(rows: rows, columns: dimensions[0]) else {
      throw Fault(
        .invalidData,
        "tensor \"\(name)\" has shape \(dimensions), whose rows are no whole number of \(type.rawValue) blocks of \(type.blockLength)")
    }
    let start = dataStart + Int(offset)
    guard count <= fileLength - start else {
      throw Fault(.invalidData, "truncated: tensor \"\(name)\" needs \(count) bytes at offset \(start), and \(fileLength - start) are left")
    }
    return GGUFTensorInfo(name: name, dimensions: dimensions, typeNumber: typeNumber, type: type, range: start..<start + count)
  }

  private func alignment() throws -> Int {
    guard let value = metadata["general.alignment"] else { return 32 }
    guard let alignment = value.asInt, (8...Limit.alignment).contains(alignment), alignment.nonzeroBitCount == 1 else {
      throw Fault(.invalidData, "general.alignment is no power of two from 8 to \(Limit.alignment)")
    }
    return alignment
  }

  private func checkOverlap() throws {
    let ordered = tensors.values.compactMap { info in info.range.map { (info.name, $0) } }.sorted { $0.1.lowerBound < $1.1.lowerBound }
    for (before, after) in zip(ordered, ordered.dropFirst()) where before.1.upperBound > after.1.lowerBound {
      throw Fault(.invalidData, "tensors \"\(before.0)\" and \"\(after.0)\" overlap")
    }
  }

  private static func name(from reader: inout ByteReader, _ what: @autoclosure () -> String) throws -> String {
    let length = try reader.integer(UInt64.self, what())
    guard (1...Limit.nameBytes).contains(length) else {
      throw Fault(.invalidData, "\(what()) has \(length) bytes; expected 1 to \(Limit.nameBytes)")
    }
    guard let name = String(validating: try reader.take(length, what()), as: UTF8.self) else {
      throw Fault(.invalidData, "\(what()) is not valid UTF-8")
    }
    return name
  }
}
