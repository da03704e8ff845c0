package import Checkpoints
package import Kernels

/// How the weights are held in memory.
package enum Precision: String, Sendable, CaseIterable, Codable {
  /// Widened to f32: the reference.
  case f32
  /// Rounded to bf16.
  case bf16
  /// As in the file (mapped where possible): Q4_1, Q8_0, bf16 and f32 are multiplied as stored, other types are widened to f32.
  case stored
}

/// One weight matrix [rows, columns] that maps `columns` inputs to `rows` outputs.
package struct Weight: Sendable {
  private enum Storage: Sendable {
    case f32([Float])
    case bf16([UInt16])
    case stored(StoredMatrix)
  }

  package let rows: Int
  package let columns: Int
  private let storage: Storage
  private let packing = LazyPacking()
  private let backPacking = LazyPacking()
  /// From this many rows on, a packed product is the faster one; fewer rows only read the weights once.
  private static let packedRows = 2
  private static let packedRowsBF16 = 5

  /// Widens, rounds or keeps `matrix`; throws if it holds a NaN or an infinity.
  package init(_ matrix: StoredMatrix, precision: Precision, compute: Compute) throws {
    try matrix.checkFinite()
    (rows, columns) = (matrix.rows, matrix.columns)
    switch (precision, matrix.type) {
    case (.stored, .q4_1), (.stored, .q8_0), (.stored, .bf16), (.stored, .f32): storage = .stored(matrix)
    case (.bf16, _): storage = .bf16(BF16.narrowed(Weight.widened(matrix, compute), compute))
    default: storage = .f32(Weight.widened(matrix, compute))
    }
  }

  /// An f32 matrix from values, row by row.
  package init(rows: Int, columns: Int, values: [Float]) {
    precondition(values.count == rows * columns)
    (self.rows, self.columns, storage) = (rows, columns, .f32(values))
  }

  /// The same weights rounded to bf16.
  package func narrowed(_ compute: Compute) -> Weight {
    if case .bf16 = storage { return self }
    return Weight(rows: rows, columns: columns, storage: .bf16(BF16.narrowed(values(compute), compute)))
  }

  private init(rows: Int, columns: Int, storage: Storage) {
    (self.rows, self.columns, self.storage) = (rows, columns, storage)
  }

  /// Y = X Wᵀ: [B, columns] → [B, rows].
  package func apply(_ x: Matrix, _ compute: Compute) -> Matrix {
    precondition(x.columns == columns, "input [\(x.rows), \(x.columns)] for a weight [\(rows), \(columns)]")
    if let packed = packed(for: x.rows, compute) { return compute.linear(x, packed) }
    switch storage {
    case .f32(let values): return compute.linear(x, values, outputs: rows)
    case .bf16(let values): return values.withUnsafeBufferPointer { compute.linear(x, bf16: $0.baseAddress!, outputs: rows) }
    case .stored(let matrix):
      return matrix.bytes.withUnsafeBytes { bytes in
        let base = bytes.baseAddress!
        switch matrix.type {
        case .q4_1: return compute.linear(x, quantized: .q4_1, base.assumingMemoryBound(to: UInt8.self), outputs: rows)
        case .q8_0: return compute.linear(x, quantized: .q8_0, base.assumingMemoryBound(to: UInt8.self), outputs: rows)
        case .bf16: return compute.linear(x, bf16: base.assumingMemoryBound(to: UInt16.self), outputs: rows)
        default: return compute.linear(x, base.assumingMemoryBound(to: Float.self), outputs: rows)
        }
      }
    }
  }

  /// dX = dY W: [B, rows] → [B, columns], the gradient through `apply`.
  package func applyTransposed(_ dy: Matrix, _ compute: Compute) -> Matrix {
    precondition(dy.columns == rows, "gradient [\(dy.rows), \(dy.columns)] for a weight [\(rows), \(columns)]")
    let packed: PackedMatrix? =
      switch storage {
      case .f32(let values):
        backPacking.packed { PackedMatrix(values, rows: rows, columns: columns, transposed: false, compute: compute) }
      case .bf16(let values):
        backPacking.packed { PackedMatrix(bf16: values, rows: rows, columns: columns, transposed: false, compute: compute) }
      case .stored: nil
      }
    if let packed { return compute.linear(dy, packed) }
    return compute.product(dy, Matrix(rows: rows, columns: columns, values: values(compute)))
  }

  /// The weights packed for products of `rows_` rows, where that pays and the CPU can. Weights that stay in their file are never packed: whoever
  /// maps a file larger than memory would get a second copy of it.
  private func packed(for rows_: Int, _ compute: Compute) -> PackedMatrix? {
    switch storage {
    case .f32(let values) where rows_ >= Self.packedRows:
      packing.packed { PackedMatrix(values, rows: rows, columns: columns, compute: compute) }
    case .bf16(let values) where rows_ >= Self.packedRowsBF16:
      packing.packed { PackedMatrix(bf16: values, rows: rows, columns: columns, compute: compute) }
    default: nil
    }
  }

  /// The rows of several weights below one another in one packed matrix; nil where they are not all f32 or all bf16, or the CPU cannot.
  static func packed(_ parts: [Weight], transposed: Bool, _ compute: Compute) -> PackedMatrix? {
    let (rows, columns) = (parts.reduce(0) { $0 + $1.rows }, parts[0].columns)
    var (wide, narrow) = ([Float](), [UInt16]())
    for part in parts {
      switch part.storage {
      case .f32(let values): wide += values
      case .bf16(let values): narrow += values
      case .stored: return nil
      }
    }
    if wide.count == rows * columns { return PackedMatrix(wide, rows: rows, columns: columns, transposed: transposed, compute: compute) }
    guard narrow.count == rows * columns else { return nil }
    return PackedMatrix(bf16: narrow, rows: rows, columns: columns, transposed: transposed, compute: compute)
  }

  /// The rows `ids`, widened: embeddings. Traps on an id outside 0..<rows; callers check tokens at the border.
  package func gather(_ ids: [Int32]) -> Matrix {
    Matrix(rows: ids.count, columns: columns) { out in
      for (i, id) in ids.enumerated() {
        precondition(id >= 0 && id < rows, "row \(id) of \(rows)")
        let target = out + i * columns
        switch storage {
        case .f32(let values): values.withUnsafeBufferPointer { target.update(from: $0.baseAddress! + Int(id) * columns, count: columns) }
        case .bf16(let values):
          for c in 0..<columns { target[c] = Float(bitPattern: UInt32(values[Int(id) * columns + c]) << 16) }
        case .stored(let matrix): matrix.widen(rows: Int(id)..<Int(id) + 1, into: target)
        }
      }
    }
  }

  /// All values in f32, [rows · columns].
  package func values(_ compute: Compute) -> [Float] {
    switch storage {
    case .f32(let values): values
    case .bf16(let values): BF16.widened(values)
    case .stored(let matrix): Weight.widened(matrix, compute)
    }
  }

  private static func widened(_ matrix: StoredMatrix, _ compute: Compute) -> [Float] {
    .filled(matrix.rows * matrix.columns) { out in
      compute.parallel(over: matrix.rows, grain: 64) { matrix.widen(rows: $0, into: out + $0.lowerBound * matrix.columns) }
    }
  }
}
