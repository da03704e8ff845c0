import CHDF5
package import Diagnostics

/// Something that has a name and attributes: a group or a dataset.
package class HDF5Object {
  let handle: Handle
  /// The file, which stays open as long as one of its objects is in use, unless it is closed by name.
  let file: Handle
  /// Name inside the file, for messages.
  package let name: String
  /// The file's path, for messages.
  package let path: String

  init(_ handle: Handle, in file: Handle, name: String, path: String) {
    (self.handle, self.file, self.name, self.path) = (handle, file, name, path)
  }

  /// `path:name`, the location of a fault in this object.
  package var location: String { "\(path):\(name)" }

  /// A fault of untrusted content in this object.
  package func invalid(_ message: String, hint: String? = nil) -> Fault {
    Fault(.invalidData, message, at: location, hint: hint)
  }
}

/// A group: the root or an inner node. Names are paths relative to it, such as `input_cut/hidden_states`.
package final class HDF5Group: HDF5Object {
  /// The group `name` in this one; it and the groups on the way are created where they are missing.
  package func createGroup(_ name: String) throws -> HDF5Group {
    let properties = try untimed(.group, at: inner(name))
    var prefix = ""
    for step in name.split(separator: "/") {
      prefix += prefix.isEmpty ? String(step) : "/\(step)"
      if try contains(prefix) { continue }
      _ = try Handle(.group, "cannot create the group", at: inner(prefix), .inputOutput) {
        H5Gcreate2(handle.id, prefix, fedsea_h5_default(), properties.id, fedsea_h5_default())
      }
    }
    return try group(name)
  }

  /// Opens the group `name`; throws `.invalidData` if there is none.
  package func group(_ name: String) throws -> HDF5Group {
    guard try contains(name) else { throw Fault(.invalidData, "the group is missing", at: inner(name)) }
    return HDF5Group(
      try Handle(.group, "not a group", at: inner(name)) { H5Gopen2(handle.id, name, fedsea_h5_default()) }, in: file,
      name: absolute(name), path: path)
  }

  /// Opens the dataset `name`; throws `.invalidData` if there is none.
  package func dataset(_ name: String) throws -> HDF5Dataset {
    guard try contains(name) else { throw Fault(.invalidData, "the dataset is missing", at: inner(name)) }
    let opened = try Handle(.dataset, "not a dataset", at: inner(name)) { H5Dopen2(handle.id, name, fedsea_h5_default()) }
    return try HDF5Dataset(dataset: opened, in: file, name: absolute(name), path: path)
  }

  /// Whether every step of the path `name` exists.
  package func contains(_ name: String) throws -> Bool {
    var prefix = ""
    for step in name.split(separator: "/") {
      prefix += prefix.isEmpty ? String(step) : "/\(step)"
      let found = try Library.call("cannot look up", at: inner(prefix)) { H5Lexists(handle.id, prefix, fedsea_h5_default()) }
      if found == 0 { return false }
    }
    return true
  }

  /// Creates the groups on the way to the object `name`.
  func createParents(of name: String) throws {
    if let slash = name.lastIndex(of: "/") { _ = try createGroup(String(name[..<slash])) }
  }

  func absolute(_ name: String) -> String { self.name == "/" ? "/\(name)" : "\(self.name)/\(name)" }
  func inner(_ name: String) -> String { "\(path):\(absolute(name))" }
}

enum TimedKind { case file, group }

/// Creation properties without times, of which HDF5 keeps some in each group by default: the same calls shall make the same bytes.
func untimed(_ kind: TimedKind, at location: String) throws -> Handle {
  let properties = try Handle(.properties, "cannot make properties", at: location, .internalError) {
    H5Pcreate(kind == .file ? fedsea_h5_file_create_class() : fedsea_h5_group_create_class())
  }
  try Library.call("cannot set properties", at: location, .internalError) { H5Pset_obj_track_times(properties.id, false) }
  return properties
}
