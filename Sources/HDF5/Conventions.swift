import Diagnostics

/// What every file of this package has in common: an `encoding-type`, an `encoding-version`, and `/samples/offsets`.
extension HDF5Group {
  /// The version of all encodings that this code writes and reads.
  package static var encodingVersion: String { "1" }

  /// Marks a file as an `encoding`.
  package func setEncoding(_ encoding: String) throws {
    try setAttribute("encoding-type", encoding)
    try setAttribute("encoding-version", Self.encodingVersion)
  }

  /// Throws `.invalidData` unless the file is an `encoding` of the known version.
  package func requireEncoding(_ encoding: String) throws {
    guard try hasAttribute("encoding-type") else { throw invalid("no attribute encoding-type, expected \"\(encoding)\"") }
    let found = try text("encoding-type")
    guard found == encoding else { throw invalid("the file is a \"\(found)\", expected a \"\(encoding)\"") }
    let version = try text("encoding-version")
    guard version == Self.encodingVersion else {
      throw invalid("encoding-version \"\(version)\", expected \"\(Self.encodingVersion)\"", hint: "read it with the release that wrote it")
    }
  }

  /// Reads `/samples/offsets`: document `i` is rows `offsets[i]..<offsets[i + 1]`. At least one value, first 0, non-decreasing, below 2^48.
  package func readOffsets() throws -> [Int] {
    let dataset = try dataset("samples/offsets")
    guard dataset.shape.count == 1, dataset.rows >= 1 else { throw dataset.invalid("shape \(dataset.shape), expected [documents + 1]") }
    let offsets = try dataset.integers()
    var previous: Int64 = 0
    for (index, offset) in offsets.enumerated() {
      guard index > 0 || offset == 0 else { throw dataset.invalid("the first offset is \(offset), expected 0") }
      guard offset >= previous, offset < 1 << 48 else { throw dataset.invalid("offset \(index) is \(offset) after \(previous)") }
      previous = offset
    }
    return offsets.map(Int.init)
  }

  /// Reads a column of `count` token ids, each in 0...Int32.max.
  package func readTokens(_ name: String, count: Int) throws -> [Int32] {
    let dataset = try dataset(name)
    guard dataset.shape == [count] else { throw dataset.invalid("shape \(dataset.shape), but the offsets end at \(count)") }
    return try dataset.integers().enumerated().map { index, id in
      guard let token = Int32(exactly: id), token >= 0 else { throw dataset.invalid("token id \(id) at row \(index)") }
      return token
    }
  }
}

/// Writes `/samples/offsets`, one document at a time.
package final class OffsetsAppender {
  /// Rows of all documents so far.
  package private(set) var end = 0
  private let appender: RowAppender<Int64>

  package init(in root: HDF5Group) throws {
    appender = try RowAppender("samples/offsets", in: root, columns: nil, storage: HDF5Storage(deflate: 4))
    try appender.append([0])
  }

  /// Adds a document of `length` rows.
  package func append(_ length: Int) throws {
    precondition(length >= 0, "a document of \(length) rows")
    end += length
    try appender.append(CollectionOfOne(Int64(end)))
  }

  package func finish() throws { try appender.finish() }
}
