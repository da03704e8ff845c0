/// How the numbers of a weight tensor are stored: plain floats, or ggml's blocks of small integers with shared scales.
///
/// A row of a tensor is a whole number of blocks. All are little-endian.
package enum StoredType: String, Sendable, CaseIterable {
  case f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_K, q6_K

  /// Weights in one block.
  package var blockLength: Int {
    switch self {
    case .f32, .f16, .bf16: 1
    case .q8_0, .q4_0, .q4_1, .q5_0, .q5_1: 32
    case .q4_K, .q6_K: 256
    }
  }

  /// Bytes of one block.
  package var bytesPerBlock: Int {
    switch self {
    case .f32: 4
    case .f16, .bf16: 2
    case .q4_0: 2 + 16
    case .q4_1: 2 + 2 + 16
    case .q5_0: 2 + 4 + 16
    case .q5_1: 2 + 2 + 4 + 16
    case .q8_0: 2 + 32
    case .q4_K: 2 + 2 + 12 + 128
    case .q6_K: 128 + 64 + 16 + 2
    }
  }

  /// The number by which a GGUF header names the type (`enum ggml_type`).
  package var ggmlNumber: UInt32 {
    switch self {
    case .f32: 0
    case .f16: 1
    case .q4_0: 2
    case .q4_1: 3
    case .q5_0: 6
    case .q5_1: 7
    case .q8_0: 8
    case .q4_K: 12
    case .q6_K: 14
    case .bf16: 30
    }
  }

  /// The type that a GGUF header names `number`; nil for types that are not supported.
  package init?(ggmlNumber number: UInt32) {
    guard let type = Self.allCases.first(where: { $0.ggmlNumber == number }) else { return nil }
    self = type
  }

  /// Whether each weight is a float of its own.
  package var isFloat: Bool { blockLength == 1 }

  /// Bytes of `rows` rows of `columns` weights; nil if `columns` is no whole number of blocks, a count is negative, or the product overflows.
  package func byteCount(rows: Int, columns: Int) -> Int? {
    guard rows >= 0, columns >= 0, columns.isMultiple(of: blockLength) else { return nil }
    let (rowBytes, rowOverflow) = (columns / blockLength).multipliedReportingOverflow(by: bytesPerBlock)
    let (bytes, overflow) = rowBytes.multipliedReportingOverflow(by: rows)
    return rowOverflow || overflow ? nil : bytes
  }
}
