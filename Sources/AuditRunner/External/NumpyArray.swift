import Diagnostics
import Foundation

/// Arrays in NumPy's .npy format 1.0, which `numpy.load` and most other languages read: little-endian, C order.
enum NumpyArray {
  /// `values` as float32 of `shape`. Throws `.cannotCreate` if the file cannot be written.
  static func write(_ values: [Float], shape: [Int], to path: String) throws {
    precondition(shape.reduce(1, *) == values.count, "\(values.count) values of shape \(shape)")
    try write(values.withUnsafeBytes { Data($0) }, type: "<f4", shape, path)
  }

  /// `values` as int32 [n]. Throws as above.
  static func write(_ values: [Int32], to path: String) throws {
    try write(values.withUnsafeBytes { Data($0) }, type: "<i4", [values.count], path)
  }

  /// `values` as int64 [n]. Throws as above.
  static func write(_ values: [Int64], to path: String) throws {
    try write(values.withUnsafeBytes { Data($0) }, type: "<i8", [values.count], path)
  }

  private static func write(_ bytes: Data, type: String, _ shape: [Int], _ path: String) throws {
    let sizes = shape.map { "\($0)," }.joined(separator: " ")
    var header = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(sizes)), }"
    // Magic, version and length take 10 bytes; the data begins at a multiple of 64.
    header += String(repeating: " ", count: 63 - (10 + header.utf8.count) % 64) + "\n"
    var data = Data([0x93]) + Data("NUMPY".utf8) + Data([1, 0])
    data.append(contentsOf: [UInt8(header.utf8.count & 0xFF), UInt8(header.utf8.count >> 8)])
    data.append(contentsOf: header.utf8)
    data.append(bytes)
    do { try data.write(to: URL(filePath: path)) } catch {
      throw Fault(.cannotCreate, "cannot write \(data.count) bytes: \(error.localizedDescription)", at: path)
    }
  }
}
