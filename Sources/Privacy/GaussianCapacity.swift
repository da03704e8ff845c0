import Foundation

/// Bits per token that C channels with additive white Gaussian noise can carry at most: C/2·log2(1 + signal-to-noise power ratio).
///
/// An upper bound of what leaks in one release of one token's state. A large value proves nothing; a value below log2 of the vocabulary certifies something.
package func gaussianCapacityBits(channels: Int, signalToNoise: Double) -> Double {
  precondition(channels > 0 && signalToNoise >= 0, "capacity needs channels and a power ratio, got \(channels) and \(signalToNoise)")
  return Double(channels) / 2 * log1p(signalToNoise) / log(2)
}
