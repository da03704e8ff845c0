import Audit
import Diagnostics
import Foundation
import Kernels
import SplitLearning

/// The content that Tests/Fixtures/hdf5.py computes on its side.
enum Samples {
  static let offsets = [0, 3, 3, 8, 9]
  static let identity = ViewIdentity(
    runID: "run-7", planSHA256: String(repeating: "1", count: 64), checkpointSHA256: String(repeating: "2", count: 64),
    tokenizerSHA256: String(repeating: "3", count: 64), created: "2026-01-02T03:04:05Z", fedseaVersion: "0.1.0")
  static let tokens: [Int32] = (0..<9).map { Int32($0 * $0 * 997 % 49152) }

  static var view: AdversaryView {
    let input = Matrix(rows: 9, columns: 4, values: (0..<36).map { Float($0 - 18) / 8 })
    let output = Matrix(rows: 9, columns: 6, values: (0..<54).map { Float($0 / 6 - $0 % 6) / 4 })
    return AdversaryView(
      identity: identity, partition: PartitionPoints(input: 2, output: 1), offsets: offsets,
      observations: [
        .inputHiddenStates: Observation(values: input, noise: NoiseStatement(defense: "gaussian-noise", law: .gaussian, sigma: 0.25)),
        .outputHiddenStates: Observation(values: output, noise: NoiseStatement(defense: "gaussian-noise", law: .gaussian, sigma: nil)),
      ])
  }

  static func guesses(candidates: Bool) -> GuessesFile {
    var reconstruction = Reconstruction(tokens: (0..<4).map { Array(tokens[offsets[$0]..<offsets[$0 + 1]]) })
    if candidates {
      reconstruction.posterior = TokenPosterior(
        width: 2, ids: tokens.flatMap { [$0, -1] }, logProbabilities: [Float](repeating: Float(log(0.25)), count: 18),
        restLogProbability: [Float](repeating: Float(log(0.75)), count: 9))
    }
    return GuessesFile(runID: "run-7", attack: "external-program", offsets: offsets, reconstruction: reconstruction)
  }
}

/// The fault that `body` throws, nil if it throws none.
func fault<R>(_ body: () throws -> R) -> Fault? {
  do {
    _ = try body()
    return nil
  } catch {
    return error as? Fault
  }
}
