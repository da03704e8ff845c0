package import Kernels

/// Weights that read the same input, multiplied as one: the input is rounded and read once, and the gradients of the input are summed inside
/// the product. Q, K and V of a block are one, gate and up another.
package struct FusedWeight: Sendable {
  package let parts: [Weight]
  private let packing = LazyPacking()
  private let backPacking = LazyPacking()
  /// From this many rows on.
  private static let fusedRows = 32

  package init(_ parts: [Weight]) {
    precondition(parts.allSatisfy { $0.columns == parts[0].columns }, "weights of different inputs")
    self.parts = parts
  }

  /// X Wᵀ of every part. X [B, columns].
  package func apply(_ x: Matrix, _ compute: Compute) -> [Matrix] {
    guard let whole = fused(x, compute) else { return parts.map { $0.apply(x, compute) } }
    return compute.split(whole, widths: parts.map(\.rows))
  }

  /// As `apply`, the parts side by side: [B, Σ rows].
  package func applyTogether(_ x: Matrix, _ compute: Compute) -> Matrix {
    fused(x, compute) ?? compute.joined(parts.map { $0.apply(x, compute) })
  }

  private func fused(_ x: Matrix, _ compute: Compute) -> Matrix? {
    guard x.rows >= Self.fusedRows, let packed = packing.packed({ Weight.packed(parts, transposed: true, compute) }) else { return nil }
    return compute.linear(x, packed)
  }

  /// Σ dYᵢ Wᵢ: [B, columns], the gradient through `apply`.
  package func applyTransposed(_ dy: [Matrix], _ compute: Compute) -> Matrix {
    if let packed = backPacked(rows: dy[0].rows, compute) { return compute.linear(compute.joined(dy), packed) }
    var dx = parts[0].applyTransposed(dy[0], compute)
    for (part, dy) in zip(parts, dy).dropFirst() { compute.add(&dx, part.applyTransposed(dy, compute)) }
    return dx
  }

  /// As `applyTransposed`, of gradients side by side [B, Σ rows].
  package func applyTransposed(together dy: Matrix, _ compute: Compute) -> Matrix {
    if let packed = backPacked(rows: dy.rows, compute) { return compute.linear(dy, packed) }
    return applyTransposed(compute.split(dy, widths: parts.map(\.rows)), compute)
  }

  private func backPacked(rows: Int, _ compute: Compute) -> PackedMatrix? {
    rows >= Self.fusedRows ? backPacking.packed { Weight.packed(parts, transposed: false, compute) } : nil
  }
}
