import Audit
import Diagnostics
import Foundation
import Llama
import Checkpoints
import Kernels
import SplitLearning

/// The folder handed to an external attack: a copy of the view and what is public, described by task.json. No path in it leads to the truth.
struct ExternalTask {
  static let schemaVersion = 1

  /// task.json.
  private struct Description: Encodable {
    struct Partition: Encodable { var input, output: Int }
    struct ChannelDescription: Encodable {
      var columns: Int
      var unit: String
      var noise: NoiseStatement
    }
    struct Auxiliary: Encodable { var tokens, offsets: String }

    var schemaVersion = ExternalTask.schemaVersion
    var runId: String
    var view = "view.h5"
    var guesses = "guesses.h5"
    var documents, tokens: Int
    var partition: Partition
    var channels: [String: ChannelDescription]
    var seed: UInt64
    var threads: Int
    var vocabularySize, hiddenSize, blocks: Int
    var checkpoint, checkpointSha256, tokenizerSha256: String
    var embeddings = "embeddings.npy"
    var auxiliary = Auxiliary(tokens: "auxiliary_tokens.npy", offsets: "auxiliary_offsets.npy")
    var excludedTokens: [Int32]
  }

  let folder: URL

  /// Makes the folder, readable by this user only. Throws `.cannotCreate` or `.inputOutput` when the disk does not take it.
  init(_ view: AdversaryView, _ means: AttackerMeans, _ material: PublicMaterial) throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "fedsea-attack-\(UUID().uuidString)")
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw Fault(.cannotCreate, "the folder of an external attack cannot be made: \(error.localizedDescription)", at: folder.path)
    }
    do { try fill(view, means, material) } catch {
      remove()
      throw error
    }
  }

  func file(_ name: String) -> String { folder.appending(path: name).path }

  func remove() { try? FileManager.default.removeItem(at: folder) }

  private func fill(_ view: AdversaryView, _ means: AttackerMeans, _ material: PublicMaterial) throws {
    let model = means.model.configuration
    // Written anew, not linked: the program cannot change the run's own view through it.
    try ViewFile.write(view, to: file("view.h5"))
    try NumpyArray.write(
      means.model.embedding.values(means.model.compute), shape: [model.vocabularySize, model.hiddenSize], to: file("embeddings.npy"))
    try NumpyArray.write(means.auxiliary.flatMap { $0 }, to: file("auxiliary_tokens.npy"))
    try NumpyArray.write(
      means.auxiliary.reduce(into: [Int64(0)]) { $0.append($0.last! + Int64($1.count)) }, to: file("auxiliary_offsets.npy"))
    let description = Description(
      runId: view.identity.runID, documents: view.documents, tokens: view.tokens,
      partition: .init(input: view.partition.input, output: view.partition.output),
      channels: Dictionary(
        view.observations.map { ($0.rawValue, .init(columns: $1.values.columns, unit: $1.unit, noise: $1.noise)) }, uniquingKeysWith: { $1 }
      ),
      seed: means.seed, threads: means.model.compute.threads, vocabularySize: model.vocabularySize, hiddenSize: model.hiddenSize,
      blocks: model.blocks, checkpoint: URL(filePath: material.checkpoint).path, checkpointSha256: view.identity.checkpointSHA256,
      tokenizerSha256: view.identity.tokenizerSHA256, excludedTokens: means.excluded.sorted())
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    do { try encoder.encode(description).write(to: folder.appending(path: "task.json")) } catch {
      throw Fault(.cannotCreate, "task.json cannot be written: \(error.localizedDescription)", at: folder.path)
    }
  }
}
