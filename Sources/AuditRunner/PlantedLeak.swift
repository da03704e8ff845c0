import Attacks
package import Audit
import Checkpoints
import Diagnostics
package import Foundation
import Kernels
import LeakageMetrics
import Llama
import PrivateText
import SplitLearning

/// The control of every run: a leak that is known to be there has to be found.
///
/// A client of its own sends the first documents once more, and adds to every state that leaves it the input embedding of its token, `strength` times
/// as long as the state. What the tap files goes the way of the run's own views: through exchange and view.h5, through the attack `nearest-embedding`
/// (cosine, not centred: the rows differ in norm), through guesses.h5 and through the scorer. Row order, document offsets, vocabulary and token ids are
/// thereby checked against each other; a view whose rows are shifted by one, for example, gives chance.
package enum PlantedLeak {
  package static let strength: Float = 100
  package static let threshold = 0.99
  /// Documents that are sent, at most.
  private static let documents = 8

  /// Token accuracy on the planted view, as a control record. No randomness. Throws faults of files that cannot be written or read back.
  /// - Parameters:
  ///   - setting: of the cell: its model, partition and nothing else count.
  ///   - strength: other values are for tests.
  package static func control(
    _ setting: SplitExchange.Setting, cell: String, _ means: AttackerMeans, _ scoring: Scoring, strength: Float = strength
  ) throws -> PlantedLeakControl {
    try inFolder { folder in
      let view = try planted(setting, scoring, strength, in: folder)
      return try PlantedLeakControl(
        cell: cell, partition: "p = \(setting.points.input), q = \(setting.points.output)", attack: NearestEmbedding.description.name,
        accuracy: accuracy(view, means, scoring, in: folder), threshold: threshold)
    }
  }

  /// What the tap files of the planted states, read back from a file in `folder`.
  package static func planted(
    _ setting: SplitExchange.Setting, _ scoring: Scoring, _ strength: Float = strength, in folder: URL
  ) throws -> AdversaryView {
    let sent = Array(scoring.documents.prefix(documents))
    let client = PlantingProtector(
      pattern: sent.map { setting.model.embedding.gather($0.tokens) }, strength: strength)
    let defense = PreparedDefense(protector: client, statement: .none, units: [:])
    let own = SplitExchange.Setting(setting.model, setting.points, defense, channels: [.inputHiddenStates])
    let path = folder.appending(path: "view.h5").path
    let identity = ViewIdentity(
      runID: "planted-leak", planSHA256: "", checkpointSHA256: "", tokenizerSHA256: "", created: "", fedseaVersion: Version.current)
    _ = try SplitExchange.dump(sent, own, identity: identity, to: path, decode: { _ in "" })
    return try ViewFile.read(path)
  }

  /// Token accuracy of what the attack finds in a view of the first documents.
  package static func accuracy(_ view: AdversaryView, _ means: AttackerMeans, _ scoring: Scoring, in folder: URL) throws -> Double {
    let path = folder.appending(path: "guesses.h5").path
    let attack = try NearestEmbedding(["distance": .string("cosine"), "centered": .number(0)])
    let found = try attack.reconstruct(view, with: means) { _ in }
    try GuessesFile(
      runID: view.identity.runID, attack: NearestEmbedding.description.name, offsets: view.offsets, reconstruction: found
    ).write(to: path)
    let guessed = try GuessesFile.read(path).validated(
      runID: view.identity.runID, offsets: view.offsets, vocabulary: means.model.configuration.vocabularySize)
    let scored = try scoring.paired(guessed.reconstruction, of: Array(0..<view.documents))
    return TokenAccuracy().estimate(scored, seed: scoring.seed)?.mean ?? 0
  }

  /// A folder for the time of `body`.
  package static func inFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appending(path: "fedsea-control-\(UUID().uuidString)")
    try AuditRunner.makeFolder(folder)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
  }
}

/// Adds to each state the pattern of its token, `strength` times as long as the state.
private struct PlantingProtector: StateProtector {
  /// Of each sequence [T, C].
  let pattern: [Matrix]
  let strength: Float

  func protect(_ states: Matrix, sequences: [UInt64], positions: [Int]) -> Matrix {
    var out = states
    for r in 0..<out.rows {
      let own = pattern[Int(sequences[r])][row: positions[r]]
      let scale = strength * max(length(states[row: r]), 1) / max(length(own), 1e-12)
      for (c, value) in own.enumerated() { out[r, c] += scale * value }
    }
    return out
  }

  private func length(_ row: some Collection<Float>) -> Float { row.reduce(0) { $0 + $1 * $1 }.squareRoot() }
}
