import Audit
import Foundation
import Kernels
import Llama
import SplitLearning

/// The size of the noise on h̃_A, for all attacks.
enum NoiseEstimate {
  /// Documents that an estimate is made from, at most.
  private static let documents = 64

  /// σ in activation units: as stated; 0 for laws that draw nothing; else estimated, and 0 where there is nothing to estimate it from.
  ///
  /// The state of a document's first token depends on that token alone, so the codebook of all V first states is exact, and the distance from an
  /// observed first row to its nearest codeword is the noise: profile likelihood over the token, σ̂² = Σ min_v ‖y − F_p(v)‖² / (n·C), of Gaussian as
  /// of Laplace noise. Choosing the nearest of V codewords makes it a little small (at most 2 ln V / C of σ²). Codewords are clipped as the states
  /// were, and no difference between private and public text enters.
  static func sigma(of view: AdversaryView, _ means: AttackerMeans) -> Double {
    guard let observation = view.observations[.inputHiddenStates], observation.noise.law.drawsNoise else { return 0 }
    if let stated = observation.noise.sigma { return stated }
    let rows = (0..<view.documents).filter { !view.range(of: $0).isEmpty }.prefix(documents).map { view.offsets[$0] }
    guard !rows.isEmpty else { return 0 }
    let (compute, observed) = (means.model.compute, observation.values)
    let codebook = observation.noise.clipping.deterministic(AnchorTable.at(view.partition.input, means).first, compute)
    let nearest = rows.map { row -> Double in
      let y = observed.slice(row..<row + 1)
      let target = [Int32](repeating: 0, count: codebook.rows)
      return Double(compute.squaredDistances(codebook, to: y, target: target).min() ?? 0) / Double(observed.columns)
    }
    return (nearest.reduce(0, +) / Double(nearest.count)).squareRoot()
  }

  /// The same to two digits where it is estimated, for training: views of one defense ask for one inverter.
  static func trainingSigma(of view: AdversaryView, _ means: AttackerMeans) -> Double {
    let isStated = view.observations[.inputHiddenStates]?.noise.sigma != nil
    let sigma = sigma(of: view, means)
    return isStated ? sigma : rounded(sigma)
  }

  /// Root mean square of the clean states of 64 public passages at the cut, first positions aside, to two digits: noise as strong as the signal.
  static func signalSize(_ view: AdversaryView, _ means: AttackerMeans) -> Double {
    let passages = means.auxiliary.prefix(64).filter { !$0.isEmpty }
    let states = means.states(of: Array(passages), inputBlocks: view.partition.input)
    let firsts = Set(passages.reduce(into: [0]) { $0.append($0.last! + $1.count) })
    let later = (0..<states.rows).filter { !firsts.contains($0) }
    let squares = later.reduce(0.0) { $0 + states[row: $1].reduce(0.0) { $0 + Double($1) * Double($1) } }
    return rounded((squares / Double(max(1, states.columns * later.count))).squareRoot())
  }

  private static func rounded(_ x: Double) -> Double {
    guard x > 0, x.isFinite else { return 0 }
    let unit = pow(10, log10(x).rounded(.down) - 1)
    return (x / unit).rounded() * unit
  }
}
