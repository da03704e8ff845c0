import Diagnostics
import Foundation

/// One amount of noise at one cut in every unit at once, as results print it.
package struct CalibratedNoise: Sendable, Codable, Equatable {
  /// Standard deviation per coordinate, activation units.
  package var sigma: Double
  /// Mean absolute value of the noise: sigma·sqrt(2/π).
  package var meanAbsolute: Double
  /// mean|noise| / mean|state| at this cut, of the state before any clip.
  package var relative: Double
  /// L2 norm that every token's state is clipped to before the noise; nil: no clip, hence no ε.
  package var clip: Double?
  /// ε of one token's state at `delta` under substitution (sensitivity 2·clip), the other positions held fixed; nil without a clip.
  package var epsilonPerToken: Double?
  package var delta: Double?
  /// Signal power over noise power, RMS² / sigma²; nil without noise. With a clip the power is at most clip²/C, and that bound enters.
  package var signalToNoise: Double?

  /// Signal to noise in decibels, 10·log10; nil without noise.
  package var signalToNoiseDecibels: Double? { signalToNoise.map { 10 * log10($0) } }

  package init(
    sigma: Double, meanAbsolute: Double, relative: Double, clip: Double? = nil, epsilonPerToken: Double? = nil, delta: Double? = nil,
    signalToNoise: Double? = nil
  ) {
    (self.sigma, self.meanAbsolute, self.relative) = (sigma, meanAbsolute, relative)
    (self.clip, self.epsilonPerToken, self.delta, self.signalToNoise) = (clip, epsilonPerToken, delta, signalToNoise)
  }

  enum CodingKeys: String, CodingKey {
    case sigma, meanAbsolute = "mean_abs", relative, clip, epsilonPerToken = "epsilon_per_token", delta, signalToNoise = "snr"
    case signalToNoiseDecibels = "snr_db"
  }

  /// Writes `snr_db` too, for readers; it is derived and not read back.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(sigma, forKey: .sigma)
    try container.encode(meanAbsolute, forKey: .meanAbsolute)
    try container.encode(relative, forKey: .relative)
    try container.encodeIfPresent(clip, forKey: .clip)
    try container.encodeIfPresent(epsilonPerToken, forKey: .epsilonPerToken)
    try container.encodeIfPresent(delta, forKey: .delta)
    try container.encodeIfPresent(signalToNoise, forKey: .signalToNoise)
    try container.encodeIfPresent(signalToNoiseDecibels, forKey: .signalToNoiseDecibels)
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    sigma = try container.decode(Double.self, forKey: .sigma)
    meanAbsolute = try container.decode(Double.self, forKey: .meanAbsolute)
    relative = try container.decode(Double.self, forKey: .relative)
    clip = try container.decodeIfPresent(Double.self, forKey: .clip)
    epsilonPerToken = try container.decodeIfPresent(Double.self, forKey: .epsilonPerToken)
    delta = try container.decodeIfPresent(Double.self, forKey: .delta)
    signalToNoise = try container.decodeIfPresent(Double.self, forKey: .signalToNoise)
  }
}

extension CalibratedNoise {
  /// ε at `delta` of one substituted token when `tokens` later states change with it, as causal attention makes them: each is a release of
  /// its own with sensitivity 2·clip, composed exactly. `tokens` = length of the document is the honest unit; 1 is `epsilonPerToken`. Nil without a clip.
  package func epsilon(tokens: Int) throws -> Double? {
    guard let clip, let delta else { return nil }
    return try GaussianMechanism(sigma: sigma, sensitivity: 2 * clip).composed(tokens).epsilon(delta: delta)
  }
}

extension NoiseLevel {
  /// This amount of noise in every unit, for states with the given statistics.
  ///
  /// - Throws: `Fault` if a number is out of range, or the statistics are zero or not finite (nothing is relative to zero).
  package func calibrated(for state: StateStatistics) throws -> CalibratedNoise {
    try validate()
    guard state.meanAbsolute > 0, state.meanAbsolute.isFinite, state.rootMeanSquare > 0, state.rootMeanSquare.isFinite, state.channels > 0
    else {
      throw invalid("noise cannot be calibrated on hidden states with mean |h| \(state.meanAbsolute) and RMS \(state.rootMeanSquare)")
    }
    let toSigma = (Double.pi / 2).squareRoot()
    switch self {
    case .none: return CalibratedNoise(sigma: 0, meanAbsolute: 0, relative: 0)
    case .sigma(let sigma): return try CalibratedNoise(sigma: sigma, state: state)
    case .meanAbsolute(let amount): return try CalibratedNoise(sigma: amount * toSigma, state: state)
    case .relative(let ratio): return try CalibratedNoise(sigma: ratio * state.meanAbsolute * toSigma, state: state)
    case .epsilon(let epsilon, let delta, let clip):
      let sigma = try GaussianMechanism(epsilon: epsilon, delta: delta).sigma(sensitivity: 2 * clip)
      var noise = try CalibratedNoise(sigma: sigma, state: state, clip: clip)
      noise.delta = delta
      noise.epsilonPerToken = try GaussianMechanism(sigma: sigma, sensitivity: 2 * clip).epsilon(delta: delta)
      return noise
    }
  }
}

extension CalibratedNoise {
  fileprivate init(sigma: Double, state: StateStatistics, clip: Double? = nil) throws {
    let signal = min(state.rootMeanSquare, clip.map { $0 / Double(state.channels).squareRoot() } ?? .infinity)
    let ratio = (signal / sigma) * (signal / sigma)
    let meanAbsolute = sigma * (2 / Double.pi).squareRoot()
    guard sigma.isFinite, sigma == 0 || ratio.isFinite, (meanAbsolute / state.meanAbsolute).isFinite else {
      throw invalid("sigma \(sigma) is out of proportion to hidden states of RMS \(state.rootMeanSquare)")
    }
    self.init(
      sigma: sigma, meanAbsolute: meanAbsolute, relative: meanAbsolute / state.meanAbsolute, clip: clip,
      signalToNoise: sigma == 0 ? nil : ratio)
  }
}
