import Attacks
package import Audit
import Diagnostics
import Kernels
import Llama
import SplitLearning

/// Compares what an attack with exact weights cannot explain of the observed states with the noise that the view states.
///
/// For the true tokens the residual y − F_p(tokens), clipping included, is the noise, so its RMS is σ. The median over rows is taken, so that a
/// few wrong guesses do not count.
package struct ResidualCheck: Sendable {
  /// How far residual and σ may be apart.
  package static let factor = 10.0

  /// Median over rows of the residual's RMS per coordinate.
  package let residual: Double
  /// σ as stated, or what rounding leaves where none is.
  package let stated: Double

  /// Nil for a view without the input cut's states, under a law whose residual has no σ, or with σ withheld.
  /// `tokens`: one array per document, as long as the document.
  package init?(_ view: AdversaryView, tokens: [[Int32]], _ means: AttackerMeans) {
    guard let observation = view.observations[.inputHiddenStates], view.tokens > 0 else { return nil }
    let noise = observation.noise
    guard [.none, .gaussian, .laplace].contains(noise.law), let sigma = noise.sigma else { return nil }
    let states = noise.deterministic(
      means.states(of: tokens.filter { !$0.isEmpty }, inputBlocks: view.partition.input), means.model.compute)
    func rms(_ row: some Sequence<Float>) -> Double {
      (row.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(states.columns)).squareRoot()
    }
    let residuals = (0..<view.tokens).map { row in rms(zip(observation.values[row: row], states[row: row]).lazy.map { $0 - $1 }) }
    let sizes = (0..<view.tokens).map { rms(observation.values[row: $0]) }
    residual = residuals.sorted()[view.tokens / 2]
    // Storage in f16 and another order of summation: a thousandth of the state, as in the decoder.
    stated = max(sigma, sizes.sorted()[view.tokens / 2] * 1e-3)
  }

  /// Whether an attack looks for the text that explains the states, so that what it leaves unexplained says something about the view.
  package static func explains(_ attack: MethodDescription) -> Bool {
    attack.channels == [.inputHiddenStates] && (attack.knowledge >= .k2 || attack.name == SequentialMatching.description.name)
  }

  /// Throws when any text leaves less than a tenth of the noise that is stated: no guess, right or wrong, could do that.
  package func refuseOverstatedNoise(at path: String) throws {
    guard residual < stated / Self.factor else { return }
    throw Fault(
      .invalidData,
      "the view states noise of σ = \(DumpCheck.text(stated)), but its states lie within \(DumpCheck.text(residual)) of a text's own states",
      at: path,
      hint: "noise_sigma is the standard deviation of one coordinate in activation units")
  }

  /// A sentence when ten times the stated noise is left over, else nil: the guesses are wrong, or the statement is.
  package var warning: String? {
    guard residual > stated * Self.factor else { return nil }
    return
      "the guesses leave \(DumpCheck.text(residual)) a coordinate unexplained where σ = \(DumpCheck.text(stated)) is stated: either the attack failed, "
      + "or noise_sigma is in another unit, or the states were computed in another precision or with other weights"
  }
}
