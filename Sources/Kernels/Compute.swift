import CKernels
import COneDNN
import COpenBLAS

/// Where and how wide the products run. A value, handed down: there is no global setting.
package struct Compute: Sendable, Hashable {
  /// The library behind f32 products.
  package enum Library: Int32, Sendable, CaseIterable {
    case oneDNN = 0
    case openBLAS = 1
  }

  package var library: Library
  /// Threads for products and loops; 1 makes every result bitwise independent of scheduling.
  package var threads: Int
  /// Whether weights may be copied into the layout that the CPU multiplies fastest: a second copy of the model, where there is such a layout.
  package var packsWeights = true

  package init(library: Library = .oneDNN, threads: Int = Compute.processors) {
    (self.library, self.threads) = (library, max(1, threads))
  }

  /// Processors that are online.
  package static var processors: Int { Int(fs_processors()) }

  /// The instruction set that oneDNN dispatches to on this CPU, for example `avx2` or `avx512_core_bf16`.
  package static var instructionSet: String { String(cString: fs_cpu_level()) }

  /// Whether bf16 products run natively (oneDNN from AVX-512 on); elsewhere bf16 weights are widened and multiplied in f32.
  package static let hasBF16Products = fs_has_bf16_gemm() != 0

  /// Tells malloc to keep freed activations; call once at process start.
  package static func keepFreedMemory() { fs_keep_freed_memory() }

  /// `oneDNN avx2, 2 threads`, for records and `doctor`.
  package var description: String { "\(library) \(Compute.instructionSet), \(threads) threads" }
}

extension Matrix {
  /// A matrix whose values `fill` writes, every one of them, before anyone reads them.
  package init(rows: Int, columns: Int, filledBy fill: (UnsafeMutablePointer<Float>) -> Void) {
    self.init(rows: rows, columns: columns, values: .filled(rows * columns, by: fill))
  }
}

extension Array where Element == Float {
  /// `count` values that `fill` writes, every one of them, before anyone reads them.
  package static func filled(_ count: Int, by fill: (UnsafeMutablePointer<Float>) -> Void) -> [Float] {
    guard count > 0 else { return [] }
    return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
      fill(buffer.baseAddress!)
      initialized = count
    }
  }
}

extension Compute {
  /// Versions of the libraries that run the products, for `doctor` and the record.
  package static var libraryVersions: [String: String] {
    var versions = ["OpenBLAS": String(cString: openblas_get_config())]
    if let version = dnnl_version()?.pointee { versions["oneDNN"] = "\(version.major).\(version.minor).\(version.patch)" }
    return versions
  }
}
