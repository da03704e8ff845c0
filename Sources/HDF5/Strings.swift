import CHDF5
import Diagnostics

/// How a string attribute or dataset is stored: variable length, or fixed length with padding. Both are read as UTF-8.
struct StringType {
  private let memory: Handle
  private let isVariable: Bool
  private let size: Int

  /// nil if `type` is not a string type.
  init?(_ type: Handle, at location: String) throws {
    guard Library.exclusively({ H5Tget_class(type.id) }) == H5T_STRING else { return nil }
    isVariable = try Library.call("unreadable string type", at: location) { H5Tis_variable_str(type.id) } > 0
    memory = try Handle(.type, "unreadable string type", at: location) { H5Tcopy(type.id) }
    let id = memory.id
    size = Library.exclusively { Int(clamping: H5Tget_size(id)) }
    guard size > 0 else { throw Fault(.invalidData, "strings of 0 bytes", at: location) }
  }

  /// The type that this package writes: variable-length UTF-8.
  static func variableUTF8(at location: String) throws -> Handle {
    let type = try Handle(.type, "cannot make a string type", at: location, .internalError) { H5Tcopy(fedsea_h5_c_string()) }
    try Library.call("cannot make a string type", at: location, .internalError) { () -> herr_t in
      H5Tset_size(type.id, fedsea_h5_variable()) < 0 ? -1 : H5Tset_cset(type.id, H5T_CSET_UTF8)
    }
    return type
  }

  /// Reads `count` strings by `body(memory type, buffer)`; throws `.invalidData` for bytes that are not UTF-8 or for more than 1 GiB.
  func read(_ count: Int, what: String, at location: String, _ body: (hid_t, UnsafeMutableRawPointer) -> herr_t) throws -> [String] {
    let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
    guard !overflow, bytes <= 1 << 30 else { throw Fault(.invalidData, "\(what) holds \(count) strings of \(size) bytes", at: location) }
    if count == 0 { return [] }
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 16)
    defer { buffer.deallocate() }
    buffer.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    try Library.call("cannot read \(what)", at: location) { body(memory.id, buffer) }
    let texts = isVariable ? try variable(buffer, count, location) : fixed(UnsafeRawBufferPointer(start: buffer, count: bytes))
    return try texts.enumerated().map { index, text in
      guard let text else { throw Fault(.invalidData, "\(what): text \(index) is not UTF-8", at: location) }
      return text
    }
  }

  private func variable(_ buffer: UnsafeMutableRawPointer, _ count: Int, _ location: String) throws -> [String?] {
    // libhdf5 stores an empty string as no pointer at all.
    let pointers = buffer.assumingMemoryBound(to: UnsafePointer<CChar>?.self)
    let texts = (0..<count).map { index -> String? in pointers[index].map { String(validatingCString: $0) } ?? "" }
    var length = hsize_t(count)
    let space = try Handle(.space, "cannot make a shape", at: location, .internalError) { H5Screate_simple(1, &length, nil) }
    try Library.call("cannot release strings", at: location) { H5Dvlen_reclaim(memory.id, space.id, fedsea_h5_default(), buffer) }
    return texts
  }

  private func fixed(_ bytes: UnsafeRawBufferPointer) -> [String?] {
    stride(from: 0, to: bytes.count, by: size).map { start in
      let field = bytes[start..<start + size].prefix { $0 != 0 }
      return String(validating: field, as: UTF8.self)
    }
  }
}

/// Calls `body` with pointers to NUL-terminated copies of `texts`. Throws `.invalidData` for a text that holds U+0000, which HDF5's strings cannot.
func withCStrings<R>(_ texts: [String], at location: String, _ body: (UnsafeBufferPointer<UnsafePointer<CChar>?>) throws -> R) throws -> R {
  var starts: [Int] = []
  var bytes: [CChar] = []
  for (index, text) in texts.enumerated() {
    guard !text.utf8.contains(0) else {
      throw Fault(
        .invalidData, "text \(index) holds U+0000, which HDF5 strings cannot hold", at: location, hint: "remove it from the data set")
    }
    starts.append(bytes.count)
    bytes.append(contentsOf: text.utf8.lazy.map { CChar(bitPattern: $0) })
    bytes.append(0)
  }
  return try bytes.withUnsafeBufferPointer { bytes in
    let pointers = starts.map { start -> UnsafePointer<CChar>? in bytes.baseAddress.map { $0 + start } }
    return try pointers.withUnsafeBufferPointer(body)
  }
}
