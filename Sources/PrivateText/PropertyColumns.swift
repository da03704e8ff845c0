import Diagnostics
import HDF5

/// `/samples/member` and `/samples/attribute` of truth.h5, each there only if every document has it.
final class PropertyColumns {
  private let root: HDF5Group
  private var members: [Bool?] = []
  private var attributes: [String?] = []

  init(in root: HDF5Group) { self.root = root }

  func append(_ document: PrivateDocument) throws {
    members.append(document.isMember)
    attributes.append(document.attribute)
  }

  /// Writes the columns that are complete. Throws `.invalidData` for an attribute with U+0000, `.inputOutput` when the disk is full.
  func finish() throws {
    guard !members.isEmpty else { return }
    let known = members.compactMap { $0 }
    if known.count == members.count {
      let appender = try RowAppender<Int64>("samples/member", in: root, columns: nil, storage: HDF5Storage(deflate: 4))
      try appender.append(known.map { $0 ? 1 : 0 })
      try appender.finish()
    }
    let names = attributes.compactMap { $0 }
    if names.count == attributes.count { try StringAppender("samples/attribute", in: root).append(names) }
  }

  /// Throws `.invalidData` for columns of another length, or a membership that is neither 0 nor 1.
  static func read(_ root: HDF5Group, into documents: inout [PrivateDocument]) throws {
    if try root.contains("samples/member") {
      let dataset = try root.dataset("samples/member")
      guard dataset.shape == [documents.count] else { throw dataset.invalid("shape \(dataset.shape) for \(documents.count) documents") }
      for (index, value) in try dataset.integers().enumerated() {
        guard value == 0 || value == 1 else { throw dataset.invalid("document \(index) is \(value), expected 0 or 1") }
        documents[index].isMember = value == 1
      }
    }
    if try root.contains("samples/attribute") {
      let dataset = try root.dataset("samples/attribute")
      guard dataset.shape == [documents.count] else { throw dataset.invalid("shape \(dataset.shape) for \(documents.count) documents") }
      for (index, value) in try dataset.strings().enumerated() { documents[index].attribute = value }
    }
  }
}
