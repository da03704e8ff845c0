/// The noise of the FedSEA-LLaMA paper in its own model, for comparison: it quotes mean |ε| of 0.02, 0.05 and 0.1, which say nothing about
/// another model until they are set against the size of its hidden states.
enum PaperNoise {
  /// Mean |h_A| of LLaMA-2-7B at p = 1, 2, 3, read off the paper's appendix figures (±10 %).
  static let meanAbsoluteState = [1: 0.022, 2: 0.035, 3: 0.066]

  /// mean |ε| / mean |h_A| in the paper's model; nil where the paper gives no state size.
  static func relative(meanAbsoluteNoise: Double, inputBlocks: Int?) -> Double? {
    inputBlocks.flatMap { meanAbsoluteState[$0] }.map { meanAbsoluteNoise / $0 }
  }
}
