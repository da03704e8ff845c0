import CHDF5
import Diagnostics

/// Writes a dataset row by row while a run goes on. It holds less than one chunk of rows; each full chunk goes straight to the file, so the
/// bytes of the file do not depend on how the rows were grouped into calls. Call `finish()` before the file is closed.
///
/// A full chunk that is not compressed passes the library by, with its checksum behind it: HDF5's own filter takes a third of the time of a dump.
package final class RowAppender<Number: HDF5Number> {
  package let dataset: HDF5Object
  /// Values in a row.
  package let columns: Int
  /// Rows given so far.
  package private(set) var rows = 0
  private let handle: Handle
  private let type: Handle
  private let isMatrix: Bool
  private let rowsPerChunk: Int
  private let isPlain: Bool
  private var written = 0
  private var buffer: [Number] = []

  /// Creates the extendable dataset `name` in `group`: [N, columns], or [N] if `columns` is nil.
  package init(_ name: String, in group: HDF5Group, columns: Int?, storage: HDF5Storage = HDF5Storage()) throws {
    precondition(columns ?? 1 > 0, "a row of \(columns ?? 1) values")
    (self.columns, isMatrix) = (columns ?? 1, columns != nil)
    let location = group.inner(name)
    type = try Handle(.type, "cannot make a type", at: location, .internalError) { Number.makeHDF5Type() }
    rowsPerChunk = storage.rowsPerChunk(rowBytes: self.columns * MemoryLayout<Number>.size)
    isPlain = storage.deflate == 0 && 1.littleEndian == 1
    handle = try createExtendable(
      name, in: group, type: type, columns: columns, rowsPerChunk: rowsPerChunk, storage: storage)
    dataset = HDF5Object(handle, in: group.file, name: group.absolute(name), path: group.path)
    buffer.reserveCapacity(rowsPerChunk * self.columns + 4)
  }

  /// Appends whole rows, row after row. Throws `.inputOutput` when the disk is full.
  package func append(_ values: some Collection<Number>) throws {
    precondition(values.count % columns == 0, "\(values.count) values are no whole rows of \(columns)")
    rows += values.count / columns
    // Values in one piece of memory are copied as such.
    if try values.withContiguousStorageIfAvailable({ try append(contiguous: $0) }) == nil {
      try Array(values).withUnsafeBufferPointer { try append(contiguous: $0) }
    }
  }

  private func append(contiguous values: UnsafeBufferPointer<Number>) throws {
    let full = rowsPerChunk * columns
    var start = 0
    while start < values.count {
      let end = min(values.count, start + full - buffer.count)
      buffer.append(contentsOf: UnsafeBufferPointer(rebasing: values[start..<end]))
      start = end
      if buffer.count == full { try flush() }
    }
  }

  /// Writes the rows that do not fill a chunk.
  package func finish() throws {
    if !buffer.isEmpty { try flush() }
  }

  private func flush() throws {
    let count = buffer.count / columns
    if isPlain, count == rowsPerChunk, written % rowsPerChunk == 0 {
      try writeChunk()
    } else {
      try buffer.withUnsafeBytes { bytes in
        try writeRows(handle, type, at: dataset.location, from: written, count: count, columns: isMatrix ? columns : nil, bytes.baseAddress)
      }
    }
    written += count
    buffer.removeAll(keepingCapacity: true)
  }

  /// Writes the buffer, one whole chunk, as the filter would leave it: the numbers, then their checksum in four bytes, little-endian.
  private func writeChunk() throws {
    let size = buffer.count * MemoryLayout<Number>.size
    let room = (4 + MemoryLayout<Number>.size - 1) / MemoryLayout<Number>.size
    buffer.append(contentsOf: repeatElement(.zero, count: room))
    let (end, width) = (hsize_t(written + rowsPerChunk), hsize_t(columns))
    try buffer.withUnsafeMutableBytes { bytes in
      let checksum = Fletcher32.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<size]))
      bytes.storeBytes(of: checksum.littleEndian, toByteOffset: size, as: UInt32.self)
      try Library.call("cannot extend the dataset", at: dataset.location, .inputOutput) { H5Dset_extent(handle.id, [end, width]) }
      try Library.call("cannot write rows", at: dataset.location, .inputOutput) {
        H5Dwrite_chunk(handle.id, fedsea_h5_default(), 0, [hsize_t(written), 0], size + 4, bytes.baseAddress)
      }
    }
  }
}

/// Writes variable-length UTF-8 strings, one a row, while a run goes on. Strings are written as they come. HDF5 keeps their bytes in a heap beside
/// the rows, where no filter reaches: strings have neither compression nor a checksum.
package final class StringAppender {
  package let dataset: HDF5Object
  private let handle: Handle
  private let type: Handle
  private var written = 0

  /// Creates the extendable dataset `name` of strings in `group`.
  package init(_ name: String, in group: HDF5Group) throws {
    type = try StringType.variableUTF8(at: group.inner(name))
    handle = try createExtendable(
      name, in: group, type: type, columns: nil, rowsPerChunk: 1024, storage: nil)
    dataset = HDF5Object(handle, in: group.file, name: group.absolute(name), path: group.path)
  }

  /// Appends strings. Throws `.invalidData` for U+0000, `.inputOutput` when the disk is full.
  package func append(_ texts: [String]) throws {
    if texts.isEmpty { return }
    try withCStrings(texts, at: dataset.location) { pointers in
      try writeRows(handle, type, at: dataset.location, from: written, count: texts.count, columns: nil, pointers.baseAddress)
    }
    written += texts.count
  }
}

private func createExtendable(
  _ name: String, in group: HDF5Group, type: Handle, columns: Int?, rowsPerChunk: Int, storage: HDF5Storage?
) throws -> Handle {
  let location = group.inner(name)
  let rank: Int32 = columns == nil ? 1 : 2
  let width = hsize_t(columns ?? 1)
  let space = try Handle(.space, "cannot make a shape", at: location, .internalError) {
    H5Screate_simple(rank, [0, width], [fedsea_h5_unlimited(), width])
  }
  let properties = try Handle(.properties, "cannot make dataset properties", at: location, .internalError) {
    H5Pcreate(fedsea_h5_dataset_create_class())
  }
  try Library.call("cannot set dataset properties", at: location, .internalError) { () -> herr_t in
    guard H5Pset_chunk(properties.id, rank, [hsize_t(rowsPerChunk), width]) >= 0, H5Pset_obj_track_times(properties.id, false) >= 0 else {
      return -1
    }
    guard let storage else { return 0 }
    if storage.deflate > 0, H5Pset_shuffle(properties.id) < 0 || H5Pset_deflate(properties.id, UInt32(storage.deflate)) < 0 { return -1 }
    return H5Pset_fletcher32(properties.id)
  }
  try group.createParents(of: name)
  return try Handle(.dataset, "cannot create the dataset", at: location, .inputOutput) {
    H5Dcreate2(group.handle.id, name, type.id, space.id, fedsea_h5_default(), properties.id, fedsea_h5_default())
  }
}

/// Extends `dataset` to `first + count` rows and writes them from `bytes`.
private func writeRows(
  _ dataset: Handle, _ type: Handle, at location: String, from first: Int, count: Int, columns: Int?, _ bytes: UnsafeRawPointer?
) throws {
  let rank: Int32 = columns == nil ? 1 : 2
  let width = hsize_t(columns ?? 1)
  try Library.call("cannot extend the dataset", at: location, .inputOutput) { H5Dset_extent(dataset.id, [hsize_t(first + count), width]) }
  let space = try Handle(.space, "cannot select rows", at: location, .internalError) { H5Dget_space(dataset.id) }
  let memory = try Handle(.space, "cannot make a shape", at: location, .internalError) {
    H5Screate_simple(rank, [hsize_t(count), width], nil)
  }
  try Library.call("cannot write rows", at: location, .inputOutput) { () -> herr_t in
    guard H5Sselect_hyperslab(space.id, H5S_SELECT_SET, [hsize_t(first), 0], nil, [hsize_t(count), width], nil) >= 0 else { return -1 }
    return H5Dwrite(dataset.id, type.id, memory.id, space.id, fedsea_h5_default(), bytes)
  }
}
