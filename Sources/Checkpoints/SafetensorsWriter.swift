import Diagnostics

/// Writes a safetensors file tensor by tensor, without holding it in memory; the file appears under its name when it is complete.
///
/// `init` with all names and shapes, `write` the values of each tensor in that order (in as many pieces as is handy), then `finish`. A writer
/// that is dropped before `finish` leaves no file.
package struct SafetensorsWriter: ~Copyable {
  /// A tensor to be written: its name, f32, f16 or bf16, and its shape, the slowest-varying length first.
  package struct Entry: Sendable, Equatable {
    package let name: String
    package let type: StoredType
    package let shape: [Int]

    /// Traps for quantised types, and for shapes with a negative length.
    package init(_ name: String, _ type: StoredType = .f32, shape: [Int]) {
      precondition(type.isFloat && shape.allSatisfy { $0 >= 0 }, "\(type.rawValue) \(shape) is no safetensors tensor (\(name))")
      (self.name, self.type, self.shape) = (name, type, shape)
    }

    var elements: Int { shape.reduce(1, *) }
  }

  private var file: AtomicFile
  private let entries: [Entry]
  /// The tensor that `write` is at, and how many of its elements are written.
  private var current = 0
  private var written = 0

  /// Creates the file and writes its header. Traps if two entries share a name; throws `Fault(.cannotCreate)` or `Fault(.inputOutput)`.
  package init(to path: String, entries: [Entry], metadata: [String: String] = [:]) throws {
    precondition(Set(entries.map(\.name)).count == entries.count, "two tensors share a name")
    var file = try AtomicFile(path)
    let header = Self.header(entries, metadata)
    try file.write(withUnsafeBytes(of: UInt64(header.count).littleEndian) { [UInt8]($0) })
    try file.write(header)
    self.entries = entries
    self.file = file
    skipEmpty()
  }

  /// Appends `values`, rounded to the type of the tensors they fall into. Traps when there are more than the entries hold.
  package mutating func write(_ values: [Float]) throws {
    var position = 0
    while position < values.count {
      precondition(current < entries.count, "more values than the \(entries.count) tensors hold")
      let entry = entries[current]
      // Pieces of at most a megabyte, so that a large tensor is not held twice.
      let count = min(values.count - position, entry.elements - written, 1 << 18)
      try file.write(entry.type.encoded(values[position..<position + count]))
      position += count
      written += count
      skipEmpty()
    }
  }

  /// Completes the file. Traps unless every tensor has all its values; throws `Fault(.inputOutput)`.
  package consuming func finish() throws {
    precondition(current == entries.count, "tensor \"\(entries[min(current, entries.count - 1)].name)\" is not complete")
    try file.finish()
  }

  private mutating func skipEmpty() {
    while current < entries.count, written == entries[current].elements { (current, written) = (current + 1, 0) }
  }

  /// The JSON header, padded with spaces so that the data starts at a multiple of eight.
  private static func header(_ entries: [Entry], _ metadata: [String: String]) -> [UInt8] {
    var members: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }.map { "\(JSONValue.quoted($0.key)):\(JSONValue.quoted($0.value))" }
      members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var offset = 0
    for entry in entries {
      let end = offset + entry.elements * entry.type.bytesPerBlock
      let shape = entry.shape.map(String.init).joined(separator: ",")
      let dtype = entry.type.rawValue.uppercased()
      members.append("\(JSONValue.quoted(entry.name)):{\"dtype\":\"\(dtype)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    let text = [UInt8]("{\(members.joined(separator: ","))}".utf8)
    return text + [UInt8](repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8)
  }
}
