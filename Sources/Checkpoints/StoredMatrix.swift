import Diagnostics

/// A weight matrix as a checkpoint stores it: `rows` outputs by `columns` inputs, row after row.
package struct StoredMatrix: Sendable {
  /// The Hugging Face name, or whatever the maker of the matrix calls it.
  package let name: String
  package let type: StoredType
  package let rows: Int
  package let columns: Int
  /// `rows` rows of `columns / type.blockLength` blocks; the first byte is aligned for the type.
  package let bytes: MappedBytes

  /// Traps unless `bytes` are exactly as many as the shape needs.
  package init(name: String, type: StoredType, rows: Int, columns: Int, bytes: MappedBytes) {
    precondition(
      type.byteCount(rows: rows, columns: columns) == bytes.count,
      "\(bytes.count) bytes are no \(type.rawValue) [\(rows), \(columns)] (\(name))")
    (self.name, self.type, self.rows, self.columns) = (name, type, rows, columns)
    self.bytes = bytes.aligned(to: type == .f32 ? 4 : 2)
  }

  /// `rows * columns` weights, dequantised to f32 exactly as llama.cpp's `gguf` package does it.
  package func widened() -> [Float] {
    [Float](unsafeUninitializedCapacity: rows * columns) { buffer, initialized in
      if let base = buffer.baseAddress { widen(rows: 0..<rows, into: base) }
      initialized = rows * columns
    }
  }

  /// Writes the rows `range`, dequantised, to `target`, which has room for `range.count * columns` floats. Traps if `range` is out of bounds.
  package func widen(rows range: Range<Int>, into target: UnsafeMutablePointer<Float>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows) (\(name))")
    let blocksPerRow = columns / type.blockLength
    let (first, count) = (range.lowerBound * blocksPerRow, range.count * blocksPerRow)
    guard count > 0 else { return }
    bytes.withUnsafeBytes { bytes in
      let run = UnsafeRawBufferPointer(rebasing: bytes[first * type.bytesPerBlock..<(first + count) * type.bytesPerBlock])
      Dequantization.widen(type, blocks: count, from: run.baseAddress!, into: target)
    }
  }

  /// Throws `Fault(.invalidData)` that names the tensor if a weight is NaN or infinite.
  ///
  /// Of quantised types only the f16 scales can be; products of finite ones stay below f32's range.
  package func checkFinite() throws {
    let bad = bytes.withUnsafeBytes { FiniteScan.firstBad(type, in: $0) }
    guard let bad else { return }
    let weight = bad * type.blockLength
    throw Fault(
      .invalidData, "tensor \"\(name)\" holds NaN or infinite weights, first in row \(weight / columns)",
      hint: "the file is damaged or its training diverged; fetch it again")
  }
}
