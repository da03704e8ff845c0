import CHDF5
import Diagnostics
import Foundation

/// A dataset open for reading: a column [N] or a matrix [N, C] of numbers or strings.
package final class HDF5Dataset: HDF5Object {
  package enum Kind: Sendable, Equatable {
    /// IEEE floating point of 16, 32 or 64 bits.
    case float(bits: Int)
    /// A standard integer of 1 to 8 bytes.
    case integer
    case string
  }

  package let kind: Kind
  /// [N] or [N, C]; the product, times 8 bytes, fits an `Int`.
  package let shape: [Int]

  package var rows: Int { shape[0] }
  /// Values in a row.
  package var columns: Int { shape.count == 2 ? shape[1] : 1 }

  /// Refuses types and shapes that this package never reads; `probe.h` has refused rows without data before.
  init(dataset handle: Handle, in file: Handle, name: String, path: String) throws {
    let location = "\(path):\(name)"
    let type = try Handle(.type, "the dataset has no type", at: location) { H5Dget_type(handle.id) }
    let space = try Handle(.space, "the dataset has no shape", at: location) { H5Dget_space(handle.id) }
    let (category, size, isInteger) = Library.exclusively {
      (H5Tget_class(type.id), fedsea_h5_ieee_size(type.id), fedsea_h5_is_standard_integer(type.id) == 1)
    }
    switch category {
    case H5T_STRING: kind = .string
    case H5T_FLOAT where size > 0: kind = .float(bits: 8 * size)
    case H5T_INTEGER where isInteger: kind = .integer
    default: throw Fault(.invalidData, "the dataset holds neither IEEE floats, standard integers nor strings", at: location)
    }
    let rank = try Library.call("the dataset has no shape", at: location) { H5Sget_simple_extent_ndims(space.id) }
    guard rank == 1 || rank == 2 else { throw Fault(.invalidData, "the dataset has \(rank) dimensions, expected 1 or 2", at: location) }
    var extent: [hsize_t] = [0, 1]
    try Library.call("the dataset has no shape", at: location) { H5Sget_simple_extent_dims(space.id, &extent, nil) }
    let (elements, tooMany) = extent[0].multipliedReportingOverflow(by: extent[1])
    guard !tooMany, extent[0] < 1 << 48, extent[1] < 1 << 32, elements < 1 << 48 else {
      throw Fault(.invalidData, "the dataset claims \(extent[0]) rows of \(extent[1])", at: location)
    }
    shape = extent.prefix(Int(rank)).map(Int.init)
    super.init(handle, in: file, name: name, path: path)
  }

  /// Rows `range` as `Float`s, row after row; 16 bits widen exactly, 64 bits round.
  package func floats(_ range: Range<Int>? = nil) throws -> [Float] {
    guard case .float = kind else { throw invalid("expected floating-point numbers, found \(kind)") }
    return try numbers(range, zero: Float(0)) { fedsea_h5_f32() }
  }

  /// Rows `range` as integers, row after row. Unsigned values above `Int64.max` become `Int64.max`.
  package func integers(_ range: Range<Int>? = nil) throws -> [Int64] {
    guard kind == .integer else { throw invalid("expected integers, found \(kind)") }
    return try numbers(range, zero: Int64(0)) { fedsea_h5_i64() }
  }

  /// All texts of a column of strings.
  package func strings() throws -> [String] {
    guard kind == .string, shape.count == 1 else { throw invalid("expected a column of strings, found \(kind) of shape \(shape)") }
    let type = try Handle(.type, "the dataset has no type", at: location) { H5Dget_type(handle.id) }
    guard let strings = try StringType(type, at: location) else { throw invalid("expected strings") }
    return try strings.read(rows, what: "the dataset", at: location) { memory, buffer in
      H5Dread(handle.id, memory, fedsea_h5_all(), fedsea_h5_all(), fedsea_h5_default(), buffer)
    }
  }

  /// Traps if `range` is not inside `0..<rows`; throws `.invalidData` for more than half of the machine's memory: deflate can
  /// make a small file promise a thousand times its size.
  private func numbers<Number: BitwiseCopyable>(_ range: Range<Int>?, zero: Number, _ type: () -> hid_t) throws -> [Number] {
    let range = range ?? 0..<rows
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows)")
    let count = range.count * columns
    guard count <= Int(clamping: ProcessInfo.processInfo.physicalMemory / 2) / MemoryLayout<Number>.stride else {
      throw invalid("\(count) values would fill more than half of the memory", hint: "read fewer documents at once")
    }
    if count == 0 { return [] }
    let space = try Handle(.space, "cannot select rows", at: location) { H5Dget_space(handle.id) }
    let width = hsize_t(columns)
    let memory = try Handle(.space, "cannot make a shape", at: location, .internalError) {
      H5Screate_simple(Int32(shape.count), [hsize_t(range.count), width], nil)
    }
    var values = [Number](repeating: zero, count: count)
    try values.withUnsafeMutableBytes { bytes in
      _ = try Library.call("cannot read rows", at: location) { () -> herr_t in
        let selected = H5Sselect_hyperslab(
          space.id, H5S_SELECT_SET, [hsize_t(range.lowerBound), 0], nil, [hsize_t(range.count), width], nil)
        return selected < 0 ? -1 : H5Dread(handle.id, type(), memory.id, space.id, fedsea_h5_default(), bytes.baseAddress)
      }
    }
    return values
  }
}
