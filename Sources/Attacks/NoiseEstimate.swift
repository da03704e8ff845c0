import Audit
import Foundation
import Kernels
import Llama
import SplitLearning

/// σ of Gaussian or Laplace noise where the defense withholds it. The state of a document's first token depends on that token alone, so the
/// codebook of all V first states is exact, and the distance from an observed first row to its nearest codeword is the noise: profile likelihood
/// over the token, σ̂² = Σ min_v ‖y − F_p(v)‖² / (n·C). Choosing the nearest of V codewords makes it a little small (at most 2 ln V / C of σ²).
enum NoiseEstimate {
  /// - Returns: σ̂ in activation units, from at most 64 documents; nil without documents.
  static func sigma(_ view: AdversaryView, _ observed: Matrix, _ noise: NoiseStatement, _ means: AttackerMeans) -> Double? {
    let rows = view.offsets.dropLast().indices.prefix(64).filter { !view.range(of: $0).isEmpty }.map { view.offsets[$0] }
    guard !rows.isEmpty else { return nil }
    let compute = means.model.compute
    let codebook = noise.clipping.deterministic(AnchorTable.at(view.partition.input, means).first, compute)
    let nearest = rows.map { row -> Double in
      let y = observed.slice(row..<row + 1)
      let target = [Int32](repeating: 0, count: codebook.rows)
      return Double(compute.squaredDistances(codebook, to: y, target: target).min() ?? 0) / Double(observed.columns)
    }
    return (nearest.reduce(0, +) / Double(nearest.count)).squareRoot()
  }
}
