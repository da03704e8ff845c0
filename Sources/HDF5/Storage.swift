import CHDF5

/// How rows lie in the file. Fletcher-32 checksums are always on.
package struct HDF5Storage: Sendable, Hashable {
  /// Level of deflate, 0 (off) to 9, with byte shuffling. Hidden states are incompressible; offsets and token ids shrink well.
  package var deflate: Int
  /// Size of a chunk in bytes that the row count of a chunk is computed from.
  package var chunkBytes: Int

  /// Traps unless deflate is in 0...9 and a chunk in 0.1–1 MB.
  package init(deflate: Int = 0, chunkBytes: Int = 131_072) {
    precondition((0...9).contains(deflate), "deflate level \(deflate) is not in 0...9")
    precondition((100_000...1_048_576).contains(chunkBytes), "chunks of \(chunkBytes) bytes are not 0.1–1 MB")
    (self.deflate, self.chunkBytes) = (deflate, chunkBytes)
  }

  /// Rows in a chunk for rows of `rowBytes` bytes: at least one, so only rows above `chunkBytes` make larger chunks.
  package func rowsPerChunk(rowBytes: Int) -> Int { max(1, chunkBytes / max(1, rowBytes)) }
}

/// A number that HDF5 stores little-endian: `Float`, `Float16` (IEEE binary16), `Int32` or `Int64`.
package protocol HDF5Number: BitwiseCopyable, Sendable {
  /// A new type handle; the caller closes it. Called under the library lock.
  static func makeHDF5Type() -> Int64
  static var zero: Self { get }
}

extension Float: HDF5Number { package static func makeHDF5Type() -> Int64 { H5Tcopy(fedsea_h5_f32()) } }
extension Int32: HDF5Number { package static func makeHDF5Type() -> Int64 { H5Tcopy(fedsea_h5_i32()) } }
extension Int64: HDF5Number { package static func makeHDF5Type() -> Int64 { H5Tcopy(fedsea_h5_i64()) } }
#if !((os(macOS) || targetEnvironment(macCatalyst)) && arch(x86_64))
  extension Float16: HDF5Number { package static func makeHDF5Type() -> Int64 { fedsea_h5_make_f16() } }
#endif
