import Diagnostics

/// Llama-3's change of the rotary frequencies for long contexts (`rope_type: llama3`).
///
/// Wavelengths above `originalContextLength / lowFrequencyFactor` tokens are stretched by `factor`, those below `originalContextLength /
/// highFrequencyFactor` stay, and those between are interpolated. Grattafiori et al. 2024, arXiv:2407.21783.
package struct Llama3RopeScaling: Sendable, Codable, Equatable {
  package var factor: Double
  package var lowFrequencyFactor: Double
  package var highFrequencyFactor: Double
  package var originalContextLength: Int

  package init(factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double, originalContextLength: Int) {
    self.factor = factor
    self.lowFrequencyFactor = lowFrequencyFactor
    self.highFrequencyFactor = highFrequencyFactor
    self.originalContextLength = originalContextLength
  }
}

/// The shape of a LLaMA-family model, and the numbers that its forward pass needs.
package struct LlamaConfiguration: Sendable, Codable, Equatable {
  package enum Architecture: String, Sendable, Codable, CaseIterable {
    case llama, mistral, qwen2
  }

  package var architecture: Architecture
  package var blocks: Int
  /// Channels of a hidden state.
  package var hiddenSize: Int
  package var feedForwardSize: Int
  package var heads: Int
  /// Heads of K and V; each serves `heads / keyValueHeads` heads of Q.
  package var keyValueHeads: Int
  /// Channels of one head; even.
  package var headDimension: Int
  package var vocabularySize: Int
  /// Tokens the model was trained to see at most.
  package var contextLength: Int
  package var ropeBase: Double
  package var ropeScaling: Llama3RopeScaling?
  package var rmsEpsilon: Float
  /// The head reads the embedding matrix.
  package var tiedHead: Bool
  /// Q, K and V have biases.
  package var attentionBias: Bool
  /// Each token sees itself and this many less one before it; nil for all.
  package var slidingWindow: Int?
  package var beginToken: Int32?
  /// Any of these ends a generation.
  package var endTokens: [Int32]

  package init(
    architecture: Architecture, blocks: Int, hiddenSize: Int, feedForwardSize: Int, heads: Int, keyValueHeads: Int, headDimension: Int,
    vocabularySize: Int, contextLength: Int, ropeBase: Double = 10000, ropeScaling: Llama3RopeScaling? = nil, rmsEpsilon: Float = 1e-5,
    tiedHead: Bool = false, attentionBias: Bool = false, slidingWindow: Int? = nil, beginToken: Int32? = nil, endTokens: [Int32] = []
  ) {
    self.architecture = architecture
    self.blocks = blocks
    self.hiddenSize = hiddenSize
    self.feedForwardSize = feedForwardSize
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.headDimension = headDimension
    self.vocabularySize = vocabularySize
    self.contextLength = contextLength
    self.ropeBase = ropeBase
    self.ropeScaling = ropeScaling
    self.rmsEpsilon = rmsEpsilon
    self.tiedHead = tiedHead
    self.attentionBias = attentionBias
    self.slidingWindow = slidingWindow
    self.beginToken = beginToken
    self.endTokens = endTokens
  }

  /// The configuration itself, if its numbers fit together and are small enough that no product of three of them overflows an `Int`;
  /// else throws `Fault(.invalidData)` that names the field.
  @discardableResult
  package func validated() throws -> LlamaConfiguration {
    try check("blocks", blocks, 1...4096)
    try check("hiddenSize", hiddenSize, 1...1 << 17)
    try check("feedForwardSize", feedForwardSize, 1...1 << 20)
    try check("heads", heads, 1...4096)
    try check("keyValueHeads", keyValueHeads, 1...heads)
    try check("headDimension", headDimension, 2...4096)
    try check("vocabularySize", vocabularySize, 1...1 << 22)
    try check("contextLength", contextLength, 1...1 << 26)
    if let slidingWindow { try check("slidingWindow", slidingWindow, 1...1 << 26) }
    try check("beginToken and endTokens", endTokens.count, 0...1024)
    try require(heads.isMultiple(of: keyValueHeads), "\(heads) heads cannot share \(keyValueHeads) key-value heads evenly")
    try require(headDimension.isMultiple(of: 2), "headDimension is \(headDimension); rotary positions need an even one")
    try require(heads * headDimension <= 1 << 20, "\(heads) heads of \(headDimension) channels are too many")
    try require(ropeBase.isFinite && ropeBase >= 1 && ropeBase <= 1e15, "ropeBase is \(ropeBase); expected 1 to 1e15")
    try require(rmsEpsilon.isFinite && rmsEpsilon >= 0 && rmsEpsilon <= 1, "rmsEpsilon is \(rmsEpsilon); expected 0 to 1")
    for token in [beginToken].compactMap({ $0 }) + endTokens {
      try require(token >= 0 && Int(token) < vocabularySize, "special token \(token) lies outside the vocabulary of \(vocabularySize)")
    }
    try ropeScaling?.validate()
    return self
  }

  private func check(_ field: String, _ value: Int, _ range: ClosedRange<Int>) throws {
    try require(range.contains(value), "\(field) is \(value); expected \(range.lowerBound) to \(range.upperBound)")
  }
}

private func require(_ condition: Bool, _ message: @autoclosure () -> String) throws {
  if !condition { throw Fault(.invalidData, message()) }
}

extension Llama3RopeScaling {
  fileprivate func validate() throws {
    try require(factor.isFinite && (1...1e6).contains(factor), "the rope scaling factor is \(factor); expected 1 to 1e6")
    try require(
      lowFrequencyFactor.isFinite && lowFrequencyFactor > 0 && highFrequencyFactor > lowFrequencyFactor && highFrequencyFactor <= 1e6,
      "rope scaling from low_freq_factor \(lowFrequencyFactor) to high_freq_factor \(highFrequencyFactor) is no range")
    try require(
      (1...1 << 26).contains(originalContextLength), "the original context length is \(originalContextLength); expected 1 to \(1 << 26)")
  }

  /// By how much the rotary frequency `frequency` (radians a token) is divided: 1 to `factor`.
  package func divisor(of frequency: Double) -> Double {
    let turns = Double(originalContextLength) * frequency / (2 * .pi)
    if turns > highFrequencyFactor { return 1 }
    if turns < lowFrequencyFactor { return factor }
    let smooth = (turns - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor)
    return 1 / ((1 - smooth) / factor + smooth)
  }
}
