import Attacks
package import Audit
import Checkpoints
import Diagnostics
import Foundation
import Kernels
import LeakageMetrics
import Llama
package import PrivateText
import SplitLearning

/// The control of every run: a leak that is known to be there has to be found.
///
/// To every row of a copy of the view's h̃_A the input embedding of its own token is added, with `strength` times the row's norm, which drowns
/// state and noise alike. The copy goes through a view file, through the attack `nearest-embedding` (cosine, not centred: the rows differ in
/// norm), through guesses.h5 and through the scorer, as the run's own views and answers do. Row order, document offsets, vocabulary and token
/// ids are thereby checked against each other in every run; a view whose rows are shifted by one, for example, gives chance.
package enum PlantedLeak {
  package static let strength: Float = 100
  package static let threshold = 0.99

  /// Token accuracy on the planted copy, as a control record. No randomness. Throws faults of files that cannot be written or read back.
  /// - Parameters:
  ///   - sent: the documents of the view, where some are sent more than once.
  ///   - scored: what of a reconstruction is scored then.
  ///   - strength: other values are for tests.
  package static func control(
    _ view: AdversaryView, cell: String, _ means: AttackerMeans, _ scoring: Scoring, sent: [PrivateDocument]? = nil,
    scored: (Reconstruction) throws -> Reconstruction = { $0 }, strength: Float = strength
  ) throws -> PlantedLeakControl {
    let planted = planted(view, (sent ?? scoring.documents).map(\.tokens), means, strength)
    let folder = FileManager.default.temporaryDirectory.appending(path: "fedsea-control-\(UUID().uuidString)")
    try AuditRunner.makeFolder(folder)
    defer { try? FileManager.default.removeItem(at: folder) }
    let (viewPath, guessPath) = (folder.appending(path: "view.h5").path, folder.appending(path: "guesses.h5").path)
    try ViewFile.write(planted, to: viewPath)
    let seen = try ViewFile.read(viewPath)
    let attack = try NearestEmbedding(["distance": .string("cosine"), "centered": .number(0)])
    let found = try attack.reconstruct(seen, with: means) { _ in }
    let name = NearestEmbedding.description.name
    try GuessesFile(runID: seen.identity.runID, attack: name, offsets: seen.offsets, reconstruction: found).write(to: guessPath)
    let guessed = try GuessesFile.read(guessPath).validated(
      runID: view.identity.runID, offsets: view.offsets, vocabulary: means.model.configuration.vocabularySize)
    let estimate = TokenAccuracy().estimate(try scoring.paired(scored(guessed.reconstruction)), seed: scoring.seed)
    return PlantedLeakControl(
      cell: cell, partition: "p = \(view.partition.input), q = \(view.partition.output)", attack: name, accuracy: estimate?.mean ?? 0,
      threshold: threshold)
  }

  private static func planted(_ view: AdversaryView, _ truth: [[Int32]], _ means: AttackerMeans, _ strength: Float) -> AdversaryView {
    let tokens = truth.flatMap { $0 }
    let pattern = means.model.embedding.gather(tokens)
    var states = view.observations[.inputHiddenStates]?.values ?? Matrix(rows: tokens.count, columns: pattern.columns)
    precondition(states.rows == tokens.count && states.columns == pattern.columns, "the view is of other documents")
    for r in 0..<states.rows {
      let norm = max(length(states[row: r]), 1)
      let scale = strength * norm / max(length(pattern[row: r]), 1e-12)
      for c in 0..<states.columns { states[r, c] += scale * pattern[r, c] }
    }
    var copy = view
    copy.observations = [.inputHiddenStates: Observation(values: states)]
    return copy
  }

  private static func length(_ row: some Collection<Float>) -> Float { row.reduce(0) { $0 + $1 * $1 }.squareRoot() }
}
