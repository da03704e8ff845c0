import CHDF5
import Diagnostics

/// Attributes are small facts: text, numbers and lists of text. Reading accepts what h5py writes for them (variable- and fixed-length strings,
/// any standard integer, IEEE floats) and nothing else; at most 64 KiB each.
extension HDF5Object {
  /// Writes a UTF-8 text, which may not hold U+0000.
  package func setAttribute(_ key: String, _ text: String) throws {
    try writeStrings(key, [text], scalar: true)
  }

  /// Writes a list of UTF-8 texts.
  package func setAttribute(_ key: String, _ texts: [String]) throws {
    try writeStrings(key, texts, scalar: false)
  }

  package func setAttribute(_ key: String, _ number: Int64) throws {
    try write(key, fileType: { fedsea_h5_i64() }, number)
  }

  /// Writes a list of integers, not empty.
  package func setAttribute(_ key: String, _ numbers: [Int64]) throws {
    precondition(!numbers.isEmpty, "an empty list has no shape")
    var count = hsize_t(numbers.count)
    let space = try Handle(.space, "cannot make a shape", at: location) { H5Screate_simple(1, &count, nil) }
    let attribute = try create(key, Library.exclusively { fedsea_h5_i64() }, space)
    try Library.call("cannot write the attribute \(key)", at: location, .inputOutput) { H5Awrite(attribute.id, fedsea_h5_i64(), numbers) }
  }

  package func setAttribute(_ key: String, _ number: Double) throws {
    try write(key, fileType: { fedsea_h5_f64() }, number)
  }

  package func hasAttribute(_ key: String) throws -> Bool {
    let found = try Library.call("cannot look up the attribute \(key)", at: location) { H5Aexists(handle.id, key) }
    return found > 0
  }

  /// Reads one text.
  package func text(_ key: String) throws -> String {
    let texts = try texts(key)
    guard texts.count == 1 else { throw invalid("the attribute \(key) holds \(texts.count) texts, expected 1") }
    return texts[0]
  }

  /// Reads a list of texts.
  package func texts(_ key: String) throws -> [String] {
    let attribute = try openAttribute(key)
    guard let type = try StringType(attribute.type, at: location) else { throw invalid("the attribute \(key) is not text") }
    return try type.read(attribute.count, what: "the attribute \(key)", at: location) { memory, buffer in
      H5Aread(attribute.handle.id, memory, buffer)
    }
  }

  /// Reads one integer of any standard width.
  package func integer(_ key: String) throws -> Int64 {
    let numbers = try integers(key)
    guard numbers.count == 1 else { throw invalid("the attribute \(key) is not one integer") }
    return numbers[0]
  }

  /// Reads a list of integers of any standard width.
  package func integers(_ key: String) throws -> [Int64] {
    let attribute = try openAttribute(key)
    guard Library.exclusively({ fedsea_h5_is_standard_integer(attribute.type.id) }) == 1 else {
      throw invalid("the attribute \(key) does not hold integers")
    }
    var numbers = [Int64](repeating: 0, count: attribute.count)
    guard !numbers.isEmpty else { return [] }
    try Library.call("cannot read the attribute \(key)", at: location) { H5Aread(attribute.handle.id, fedsea_h5_i64(), &numbers) }
    return numbers
  }

  /// Reads one floating-point number or integer.
  package func real(_ key: String) throws -> Double {
    let attribute = try openAttribute(key)
    let (isInteger, isFloat) = Library.exclusively {
      (fedsea_h5_is_standard_integer(attribute.type.id) == 1, fedsea_h5_ieee_size(attribute.type.id) > 0)
    }
    guard attribute.count == 1, isInteger || isFloat else { throw invalid("the attribute \(key) is not one number") }
    if isInteger { return Double(try integer(key)) }
    var number = 0.0
    try Library.call("cannot read the attribute \(key)", at: location) { H5Aread(attribute.handle.id, fedsea_h5_f64(), &number) }
    return number
  }

  private func openAttribute(_ key: String) throws -> (handle: Handle, type: Handle, count: Int) {
    guard try hasAttribute(key) else { throw invalid("the attribute \(key) is missing") }
    let attribute = try Handle(.attribute, "cannot open the attribute \(key)", at: location) {
      H5Aopen(handle.id, key, fedsea_h5_default())
    }
    let type = try Handle(.type, "the attribute \(key) has no type", at: location) { H5Aget_type(attribute.id) }
    let space = try Handle(.space, "the attribute \(key) has no shape", at: location) { H5Aget_space(attribute.id) }
    let count = try Library.call("the attribute \(key) has no shape", at: location) { H5Sget_simple_extent_npoints(space.id) }
    guard count <= 4096 else { throw invalid("the attribute \(key) holds \(count) values, expected at most 4096") }
    return (attribute, type, Int(count))
  }

  private func write<Number>(_ key: String, fileType: () -> hid_t, _ number: Number) throws {
    let space = try Handle(.space, "cannot make a shape", at: location, .internalError) { H5Screate(H5S_SCALAR) }
    let attribute = try create(key, Library.exclusively(fileType), space)
    try withUnsafePointer(to: number) { number in
      _ = try Library.call("cannot write the attribute \(key)", at: location, .inputOutput) { H5Awrite(attribute.id, fileType(), number) }
    }
  }

  private func writeStrings(_ key: String, _ texts: [String], scalar: Bool) throws {
    var count = hsize_t(texts.count)
    let space = try Handle(.space, "cannot make a shape", at: location, .internalError) {
      scalar ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &count, nil)
    }
    let type = try StringType.variableUTF8(at: location)
    let attribute = try create(key, type.id, space)
    try withCStrings(texts, at: location) { pointers in
      _ = try Library.call("cannot write the attribute \(key)", at: location, .inputOutput) {
        H5Awrite(attribute.id, type.id, pointers.baseAddress)
      }
    }
  }

  private func create(_ key: String, _ type: hid_t, _ space: Handle) throws -> Handle {
    try Handle(.attribute, "cannot create the attribute \(key)", at: location, .inputOutput) {
      H5Acreate2(handle.id, key, type, space.id, fedsea_h5_default(), fedsea_h5_default())
    }
  }
}
