import CKernels
import Synchronization

/// A weight matrix [rows, columns] in the layout that oneDNN multiplies fastest, made once and used for every product: 230 GFLOP/s from 8 rows
/// on, where a plain product that packs the weights anew reaches 115 at 24 rows (`make bench`, "f32 product").
///
/// Immutable; the C object behind it is only read after `init`, hence the unchecked conformance.
package final class PackedMatrix: @unchecked Sendable {
  package let rows: Int
  package let columns: Int
  private let packed: OpaquePointer
  private let isBF16: Bool
  private let transposed: Bool

  /// Packs f32 weights; nil where the CPU has no such layout (before AVX-512).
  /// - Parameter transposed: multiply by Wᵀ (`x` [M, columns] → [M, rows], the forward pass), else by W (`x` [M, rows] → [M, columns]).
  package convenience init?(_ values: [Float], rows: Int, columns: Int, transposed: Bool = true, compute: Compute) {
    precondition(values.count == rows * columns, "\(values.count) weights are no [\(rows), \(columns)]")
    guard compute.library == .oneDNN, compute.packsWeights else { return nil }
    self.init(values, rows, columns, isBF16: false, transposed: transposed, compute)
  }

  /// Packs bf16 weights, given as their bits; inputs are rounded to bf16, sums are f32.
  package convenience init?(bf16 values: [UInt16], rows: Int, columns: Int, transposed: Bool = true, compute: Compute) {
    precondition(values.count == rows * columns, "\(values.count) weights are no [\(rows), \(columns)]")
    guard compute.library == .oneDNN, compute.packsWeights, Compute.hasBF16Products else { return nil }
    self.init(values, rows, columns, isBF16: true, transposed: transposed, compute)
  }

  private init?(_ values: UnsafeRawPointer, _ rows: Int, _ columns: Int, isBF16: Bool, transposed: Bool, _ compute: Compute) {
    (self.rows, self.columns, self.isBF16, self.transposed) = (rows, columns, isBF16, transposed)
    guard rows * columns > 0,
      let packed = fs_pack(isBF16 ? 1 : 0, transposed ? 1 : 0, Int32(rows), Int32(columns), values, Int32(compute.threads))
    else { return nil }
    self.packed = packed
  }

  deinit { fs_unpack(packed) }

  package var inputs: Int { transposed ? columns : rows }
  package var outputs: Int { transposed ? rows : columns }

  /// x [M, inputs] → [M, outputs].
  fileprivate func product(_ x: Matrix, _ compute: Compute) -> Matrix {
    precondition(x.columns == inputs, "input [\(x.rows), \(x.columns)] for a product of \(inputs) inputs")
    let narrow = isBF16 ? BF16.narrowed(x.values, compute) : []
    return Matrix(rows: x.rows, columns: outputs) { y in
      func run(_ x_: UnsafeRawPointer) -> Int32 { fs_packed_product(packed, Int32(x.rows), x_, y, Int32(compute.threads)) }
      let failed = isBF16 ? run(narrow) : run(x.values)
      precondition(failed == 0, "the product [\(x.rows), \(x.columns)] x [\(rows), \(columns)] was refused by oneDNN")
    }
  }
}

extension Compute {
  /// Y = X Wᵀ, or X W if packed so. See `PackedMatrix`.
  package func linear(_ x: Matrix, _ weight: PackedMatrix) -> Matrix { weight.product(x, self) }
}

/// Packs a matrix when it is first wanted, and remembers when the CPU has no packed layout.
package final class LazyPacking: Sendable {
  private let made = Mutex<PackedMatrix??>(nil)

  package init() {}

  /// What `make` returned when it was first called.
  package func packed(_ make: () -> PackedMatrix?) -> PackedMatrix? {
    made.withLock { made in
      if let made { return made }
      let new = make()
      made = .some(new)
      return new
    }
  }
}
