/// Names of the settings that a `CellResult` carries, as they stand in record.json and in the columns of scores.csv.
package enum SettingKey {
  /// p, blocks on the client before the input cut.
  package static let inputBlocks = "model.partition.input"
  /// q, blocks on the client after the output cut.
  package static let outputBlocks = "model.partition.output"
  package static let defense = "defense.name"
  /// Standard deviation of the noise per coordinate, activation units; 0 without noise.
  package static let sigma = "defense.sigma"
  /// Mean absolute value of the noise, activation units (the unit of FedSEA-LLaMA).
  package static let meanAbsolute = "defense.mean_abs"
  /// mean|noise| / mean|state| at that cut.
  package static let relative = "defense.relative"
  /// ε of one token's state; only with a clip.
  package static let epsilon = "defense.epsilon"
  package static let delta = "defense.delta"
  package static let clip = "defense.clip"
  /// Signal power over noise power; absent without noise.
  package static let signalToNoise = "defense.snr"
  /// The same in decibels.
  package static let signalToNoiseDecibels = "defense.snr_db"
  /// Which of the units the plan asked for: `none`, `relative`, `mean_abs`, `sigma` or `epsilon`; the others are derived from it.
  package static let noiseUnit = "defense.unit"
  package static let seed = "seed"

  /// The settings that only restate the amount of noise.
  package static let noise: Set<String> = [
    sigma, meanAbsolute, relative, epsilon, delta, clip, signalToNoise, signalToNoiseDecibels, noiseUnit,
  ]
}
