package import Audit
import Diagnostics
import Foundation
import Kernels
import Llama
import PrivateText
package import SplitLearning
import Tasks

/// Files what the server sees of a training run into view.h5 while it goes on, and the texts into truth.h5 apart from it.
///
/// One document a send: a text that is sent in every epoch is there as often, under fresh noise (O3). Beside the channels of `ViewFile` there are
/// `/sends/step`, `/sends/client` and `/sends/sequence` int64 [documents], `/gradients/adapters/block_07/q_proj.lora_A` [updates, values] and
/// `/rounds/adapters/client_0/block_00/q_proj.lora_A` [rounds, values] f32. The loss is not there: it never leaves the client.
package final class TrainingRecorder {
  private let plan: RecordPlan
  private let path: String
  private let runID: String
  private let writer: ViewWriter
  private var documents: [PrivateDocument] = []
  private var step = 0
  /// Texts of this step that were not sent yet, by client.
  private var expected: [Int: [TaskData.Item]] = [:]
  /// Messages whose gradient is still to come, by client.
  private var open: [Int: (sent: SmashedData, returned: Matrix)] = [:]

  /// Starts both files beside one another in `folder`; `gradientNoise` is what clients publish of what they do to ∂L/∂h_B. Throws `Fault` 73 when they cannot be made.
  package init(
    _ plan: RecordPlan, folder: String, identity: ViewIdentity, partition: PartitionPoints, width: Int, noise: NoiseStatement,
    gradientNoise: NoiseStatement = .none
  ) throws {
    (self.plan, path, runID) = (plan, folder, identity.runID)
    do { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) } catch {
      throw Fault(.cannotCreate, "the folder cannot be made: \(error.localizedDescription)", at: folder)
    }
    let channels = plan.views.map { channel in
      let gradient = channel == .outputGradients || channel == .inputGradients
      return (
        channel,
        ChannelDescription(
          columns: width, unit: gradient ? "nats per activation" : "activation",
          noise: channel == .inputHiddenStates ? noise : channel == .outputGradients ? gradientNoise : .none)
      )
    }
    writer = try ViewWriter(
      folder + "/view.h5", identity: identity, partition: partition, channels: Dictionary(uniqueKeysWithValues: channels))
  }

  /// Takes the server's seat: becomes the observer of every server.
  package func watch(_ federation: Federation) {
    for server in federation.servers { server.observer = { [self] in try see($0) } }
  }

  /// Tells which texts the clients send next, by client and in their order; only truth.h5 learns of them.
  package func expect(_ batches: [[TaskData.Item]], step: Int) {
    self.step = step
    expected = Dictionary(uniqueKeysWithValues: batches.enumerated().map { ($0, $1) })
  }

  private var isOver: Bool { plan.steps.map { step >= $0 } ?? false }

  private func see(_ event: TrainingObservation) throws {
    guard !isOver else { return }
    switch event {
    case .states(let client, let sent, let returned): open[client] = (sent, returned)
    case .gradients(let client, let sent, let returned): try file(client, sent, returned)
    case .update(let range, let gradients):
      guard plan.channels.contains(RecordPlan.serverGradients) else { return }
      for (block, values) in zip(range, gradients) { try file(values, "\(RecordPlan.serverGradients)/\(Self.name(block))") }
    case .round(let client, let blocks):
      guard plan.channels.contains(RecordPlan.rounds) else { return }
      for (block, values) in blocks.sorted(by: { $0.key < $1.key }) {
        try file(values, "\(RecordPlan.rounds)/client_\(client)/\(Self.name(block))")
      }
    }
  }

  private static func name(_ block: Int) -> String { "block_" + (block < 10 ? "0" : "") + "\(block)" }

  private func file(_ values: BlockAdapters, _ path: String) throws {
    for name in values.names { try writer.append(vector: values[name], to: "\(path)/\(name.text)") }
  }

  private func file(_ client: Int, _ gradient: SmashedData, _ returned: Matrix) throws {
    guard let message = open.removeValue(forKey: client) else { return }
    let all: [Channel: Matrix] = [
      .inputHiddenStates: message.sent.states, .outputHiddenStates: message.returned, .outputGradients: gradient.states,
      .inputGradients: returned,
    ]
    try writer.append(gradient.lengths, all.filter { plan.views.contains($0.key) })
    let count = gradient.lengths.count
    try writer.append(numbers: Array(repeating: Int64(step), count: count), to: "sends/step")
    try writer.append(numbers: Array(repeating: Int64(client), count: count), to: "sends/client")
    try writer.append(numbers: gradient.sequences.map { Int64(clamping: $0) }, to: "sends/sequence")
    let texts = expected[client]?.prefix(count) ?? []
    expected[client]?.removeFirst(texts.count)
    documents += zip(gradient.sequences, texts).map { sequence, item in
      PrivateDocument(id: "\(sequence)", text: item.text, tokens: item.sequence.tokens)
    }
  }

  /// Completes both files. Throws `Fault` 74 when the disk is full.
  package func close() throws {
    try writer.close()
    try TruthFile(runID: runID, documents: documents).write(to: path + "/truth.h5")
  }
}

extension TaskData.Item {
  /// Prompt and right answer as text.
  var text: String {
    switch content {
    case .choice(let example, _): example.prompt + example.answer
    case .text(let example, _): example.prompt + example.answer
    }
  }
}
