package import Checkpoints
import Foundation

/// Radians per position of each channel pair: base^(−2i/D), with Llama-3's frequency-dependent scaling where the checkpoint asks for it
/// (Llama 3.1 model card: long wavelengths are stretched by `factor`, medium ones blended). Returns [D/2].
package func rotaryFrequencies(_ configuration: LlamaConfiguration) -> [Float] {
  let d = configuration.headDimension
  return (0..<d / 2).map { i in
    let frequency = pow(configuration.ropeBase, -Double(2 * i) / Double(d))
    guard let scaling = configuration.ropeScaling else { return Float(frequency) }
    let wavelength = 2 * Double.pi / frequency
    let original = Double(scaling.originalContextLength)
    if wavelength < original / Double(scaling.highFrequencyFactor) { return Float(frequency) }
    if wavelength > original / Double(scaling.lowFrequencyFactor) { return Float(frequency / Double(scaling.factor)) }
    let smooth =
      (original / wavelength - Double(scaling.lowFrequencyFactor)) / Double(scaling.highFrequencyFactor - scaling.lowFrequencyFactor)
    return Float((1 - smooth) * frequency / Double(scaling.factor) + smooth * frequency)
  }
}
