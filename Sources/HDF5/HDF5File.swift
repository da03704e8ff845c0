import CHDF5
import Diagnostics
import Foundation

/// An HDF5 file, either being written under a temporary name or open for reading.
///
/// A file that is dropped without `close()` leaves nothing behind: the name it was to have still holds what it held before.
package final class HDF5File {
  /// The name that the file has, or will have after `close()`.
  package let path: String
  package let root: HDF5Group
  private let handle: Handle
  /// Where the bytes are until `close()`; nil when reading.
  private let partial: String?
  /// Where `discard` sends what libhdf5 still wants to write; nil when reading. Opened beforehand: later there may be no descriptor left.
  private let memory: Descriptor?
  private var open = true

  private init(path: String, partial: String?, memory: Descriptor?, handle: Handle) throws {
    (self.path, self.partial, self.memory, self.handle) = (path, partial, memory, handle)
    root = HDF5Group(
      try Handle(.object, "cannot open /", at: path) { H5Oopen(handle.id, "/", fedsea_h5_default()) }, in: handle, name: "/", path: path)
  }

  /// Starts a file that will appear at `path`, whole or not at all, when `close()` returns.
  ///
  /// The format is that of HDF5 1.10 (2016): all metadata carry checksums. No times are stored: same calls, same bytes.
  /// - Parameter isPrivate: nobody but the owner may read it (mode 0600), from before its first byte.
  /// - Throws: `.cannotCreate` if the folder does not exist or is not writable.
  package static func create(_ path: String, isPrivate: Bool = false) throws -> HDF5File {
    let partial = "\(path).partial-\(ProcessInfo.processInfo.processIdentifier)-\(UInt32.random(in: 0 ... .max))"
    let memory = Descriptor(fedsea_memory_file())
    let access = try accessProperties(at: path)
    let creation = try untimed(.file, at: path)
    do {
      let handle = try Handle(.file, "cannot create the file", at: path, .cannotCreate) {
        H5Fcreate(partial, fedsea_h5_exclusive(), creation.id, access.id)
      }
      if isPrivate, chmod(partial, 0o600) != 0 {
        throw Fault(.cannotCreate, "cannot make the file private: \(String(cString: strerror(errno)))", at: path)
      }
      return try HDF5File(path: path, partial: partial, memory: memory, handle: handle)
    } catch {
      unlink(partial)
      throw error
    }
  }

  /// Opens an untrusted file for reading.
  ///
  /// First a forked child reads all of it (`probe.h` says why); what crashes, hangs or exhausts libhdf5 there, and what reaches outside of the
  /// file, is refused here. Throws `.missingInput` if there is no such file, `.invalidData` if it is not a well-formed HDF5 file of the kind
  /// that this package writes, `.inputOutput` if no child can be started.
  package static func open(_ path: String) throws -> HDF5File {
    try checkSuperblock(path)
    let probe = Library.exclusively { fedsea_h5_probe(path) }
    let outcome = Int(probe.outcome)
    if outcome != FEDSEA_PROBE_OK {
      let message = withUnsafeBytes(of: probe.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      switch outcome {
      case FEDSEA_PROBE_REFUSED: throw Fault(.invalidData, "not acceptable as HDF5: \(message)", at: path)
      case FEDSEA_PROBE_CRASHED:
        let death =
          probe.signal == SIGALRM || probe.signal == SIGPROF ? "takes too long to read" : "crashes libhdf5 (signal \(probe.signal))"
        throw Fault(.invalidData, "the file \(death)", at: path, hint: "it is damaged or hostile; write it again")
      default: throw Fault(.inputOutput, "cannot start a process that checks the file: \(message)", at: path)
      }
    }
    let access = try accessProperties(at: path)
    let handle = try Handle(.file, "cannot open the file", at: path) { H5Fopen(path, fedsea_h5_read_only(), access.id) }
    return try HDF5File(path: path, partial: nil, memory: nil, handle: handle)
  }

  /// Writes what is buffered, waits for the disk and gives the file its name. Throws `.inputOutput` when the disk is full or the name cannot be
  /// given, and then leaves the name as it was.
  package func close() throws {
    guard open else { return }
    open = false
    guard let partial else {
      try Library.call("cannot close the file", at: path, .inputOutput) { handle.close() }
      return
    }
    do {
      try Library.call("cannot write the file", at: path, .inputOutput) { H5Fflush(handle.id, H5F_SCOPE_GLOBAL) }
      try Library.call("cannot write the file", at: path, .inputOutput) { handle.close() }
      try synchronize(partial)
      guard rename(partial, path) == 0 else { throw fault(.cannotCreate, "cannot name the file") }
    } catch {
      discard(partial)
      throw error
    }
  }

  deinit {
    if open, let partial { discard(partial) }
  }

  /// Closes, whatever fails, and removes the temporary name. After a failed write libhdf5 still holds what it could not write. On a full disk it
  /// fails again, H5Fclose leaves a dangling identifier, and 1.10.8 crashes over it later. So if it cannot flush, its descriptor is pointed
  /// at a file in memory, where it can; or, under a limit on file sizes, which memory files obey as well, at /dev/null, which cannot be
  /// truncated but is written without end.
  private func discard(_ partial: String) {
    Library.exclusively {
      for sink in [nil, memory, try? Descriptor("/dev/null", O_WRONLY, .inputOutput)] {
        var descriptor: UnsafeMutableRawPointer?
        if let sink, H5Fget_vfd_handle(handle.id, fedsea_h5_default(), &descriptor) >= 0, let descriptor {
          _ = withExtendedLifetime(sink) { dup2($0.number, descriptor.load(as: Int32.self)) }
        }
        if H5Fflush(handle.id, H5F_SCOPE_GLOBAL) >= 0 { break }
      }
      handle.close()
    }
    unlink(partial)
  }

  private func synchronize(_ name: String) throws {
    let descriptor = try Descriptor(name, O_RDONLY, .inputOutput)
    guard withExtendedLifetime(descriptor, { fsync($0.number) }) == 0 else { throw fault(.inputOutput, "cannot write the file") }
  }

  private func fault(_ code: Fault.Code, _ what: String) -> Fault {
    Fault(code, "\(what): \(String(cString: strerror(errno)))", at: path)
  }
}

/// A file descriptor that is closed with its last reference.
private final class Descriptor {
  let number: Int32

  init(_ path: String, _ flags: Int32, _ code: Fault.Code) throws {
    number = open(path, flags | O_CLOEXEC)
    guard number >= 0 else { throw Fault(code, "cannot open the file: \(String(cString: strerror(errno)))", at: path) }
  }

  /// Takes an open descriptor, or -1.
  init(_ number: Int32) { self.number = number }

  deinit {
    if number >= 0 { close(number) }
  }
}

/// Closing a file closes all that is open in it. No file is locked: what is written has a name of its own until it is whole, and a lock would live on
/// in every child process that is forked meanwhile.
private func accessProperties(at path: String) throws -> Handle {
  let access = try Handle(.properties, "cannot make file properties", at: path, .internalError) { H5Pcreate(fedsea_h5_file_access_class()) }
  try Library.call("cannot set file properties", at: path, .internalError) { () -> herr_t in
    guard H5Pset_fclose_degree(access.id, H5F_CLOSE_STRONG) >= 0, H5Pset_file_locking(access.id, false, true) >= 0 else { return -1 }
    return H5Pset_libver_bounds(access.id, H5F_LIBVER_V110, H5F_LIBVER_V110)
  }
  return access
}

/// Says what is wrong with a path before libhdf5 sees it: missing, a folder, unreadable, too short, or without the signature at byte 0.
private func checkSuperblock(_ path: String) throws {
  var about = stat()
  guard stat(path, &about) == 0 else {
    throw Fault(.missingInput, "cannot open the file: \(String(cString: strerror(errno)))", at: path)
  }
  guard about.st_mode & S_IFMT == S_IFREG else { throw Fault(.missingInput, "not a regular file", at: path) }
  let descriptor = try Descriptor(path, O_RDONLY, .missingInput)
  var head = [UInt8](repeating: 0, count: 48)
  let got = withExtendedLifetime(descriptor) { descriptor in
    head.withUnsafeMutableBytes { read(descriptor.number, $0.baseAddress, $0.count) }
  }
  guard got == head.count, head.starts(with: [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]) else {
    throw Fault(.invalidData, "not an HDF5 file: its first bytes are not \\x89HDF\\r\\n\\x1a\\n", at: path)
  }
  guard head[8] <= 3 else { throw Fault(.invalidData, "unknown HDF5 superblock version \(head[8]), expected 0 to 3", at: path) }
}
