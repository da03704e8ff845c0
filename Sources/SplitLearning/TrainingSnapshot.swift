package import Checkpoints
import Diagnostics
import Foundation
import Llama

/// A training run between two steps, in one safetensors file that appears whole or not at all: what every party trains, its moments, and in the
/// metadata where every counter stood. All randomness is a function of seeds and counters, so a run that is resumed goes on bit for bit.
package struct TrainingSnapshot<Progress: Codable> {
  /// What the caller needs to go on: position in the data, losses so far, and the like.
  package var progress: Progress
  package let file: SafetensorsFile
  private let counters: Counters

  private struct Counters: Codable {
    var version = 1
    var steps: Int
    var sequentialServerSteps: Int
    var partitions: [PartitionPoints]
    var sent: [UInt64]
    /// Optimizer steps, by party and block.
    var optimizerSteps: [String: [Int]]

    /// Whether a run can count on from here: a file may hold any number, and an overflow would trap.
    var areSound: Bool {
      let counts = [steps, sequentialServerSteps] + optimizerSteps.values.flatMap { $0 }
      return version == 1 && counts.allSatisfy { (0...1 << 48).contains($0) }
        && sent.enumerated().allSatisfy { $1 >> 24 == UInt64($0) && $1 & 0xFF_FFFF < Federation.firstJudged }
    }
  }

  /// Writes `federation` as it stands. Throws when the disk is full or the folder cannot be written.
  package static func write(_ federation: Federation, progress: Progress, to path: String) throws {
    let parties = federation.parties
    let counters = Counters(
      steps: federation.steps, sequentialServerSteps: federation.sequentialServerSteps,
      partitions: federation.clients.map(\.partition), sent: federation.clients.map(\.sent),
      optimizerSteps: Dictionary(uniqueKeysWithValues: parties.map { ($0.name, $0.party.optimizer.steps) }))
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    let metadata = [
      "counters": String(decoding: try encoder.encode(counters), as: UTF8.self),
      "progress": String(decoding: try encoder.encode(progress), as: UTF8.self), "format": "fedsea-training",
    ]
    let tensors = parties.flatMap { $0.party.tensors($0.name) }
    var writer = try SafetensorsWriter(to: path, entries: tensors.map(\.entry), metadata: metadata)
    for tensor in tensors { try writer.write(tensor.values) }
    try writer.finish()
  }

  /// Opens a snapshot. Throws `Fault` 66 or 65 for a file that is none.
  package init(contentsOf path: String) throws {
    file = try SafetensorsFile.open(at: path)
    let decoder = JSONDecoder()
    guard file.metadata["format"] == "fedsea-training", let counters = file.metadata["counters"], let progress = file.metadata["progress"],
      let read = try? decoder.decode(Counters.self, from: Data(counters.utf8)), read.areSound,
      let state = try? decoder.decode(Progress.self, from: Data(progress.utf8))
    else { throw Fault(.invalidData, "this is no training checkpoint of this release", at: path) }
    (self.counters, self.progress) = (read, state)
  }

  /// Puts `federation`, fresh from the same plan, where the run stood. Throws `Fault` 65 when the file is of another run.
  package func restore(_ federation: Federation, blocks: Int) throws {
    guard counters.partitions.count == federation.clients.count, counters.sent.count == federation.clients.count else {
      throw Fault(.invalidData, "the checkpoint has \(counters.partitions.count) clients, not \(federation.clients.count)", at: file.path)
    }
    for (client, partition) in zip(federation.clients, counters.partitions) where client.partition != partition {
      try client.move(to: partition, blocks: blocks)
    }
    (federation.steps, federation.sequentialServerSteps) = (counters.steps, counters.sequentialServerSteps)
    for (i, client) in federation.clients.enumerated() {
      try client.restore(sent: counters.sent[i]) { input, output in
        try input.restore(file, "client\(i)/input", steps: steps("client\(i)/input"))
        try output.restore(file, "client\(i)/output", steps: steps("client\(i)/output"))
      }
    }
    for (i, server) in federation.servers.enumerated() {
      try server.restore { try $0.restore(file, "server\(i)", steps: steps("server\(i)")) }
    }
  }

  private func steps(_ party: String) -> [Int] { counters.optimizerSteps[party] ?? [] }
}

extension Federation {
  fileprivate var parties: [(name: String, party: TrainingParty)] {
    clients.enumerated().flatMap { [("client\($0)/input", $1.input), ("client\($0)/output", $1.output)] }
      + servers.enumerated().map { ("server\($0)", $1.party) }
  }
}
