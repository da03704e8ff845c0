import Checkpoints
package import Audit
import Foundation
import Kernels
package import Llama
package import Privacy
package import PrivateText
package import SplitLearning

/// One run of the private documents through client, wire and server, with the tap in the server's seat.
package struct SplitExchange: Sendable {
  package let view: AdversaryView
  /// Mean negative log-likelihood per document under the protected split model, nats per predicted token; nil for documents of one token.
  package let lossPerDocument: [Double?]

  /// Rows that travel together.
  private static let rowsPerMessage = 1024

  package init(
    _ documents: [PrivateDocument], model: LlamaModel, points: PartitionPoints, defense: PreparedDefense, channels: [Channel],
    identity: ViewIdentity
  ) throws {
    let points = try points.validated(blocks: model.configuration.blocks)
    let tap = Tap(InProcessTransport(SplitServer(MiddleBlocks(model, points))))
    let client = SplitClient(
      input: InputBlocks(model, points), output: OutputBlocks(model, points), transport: tap, protector: defense.protector)
    var losses: [Double?] = []
    var next = 0
    while next < documents.count {
      var (group, rows) = ([Int](), 0)
      while next < documents.count, group.isEmpty || rows + documents[next].tokens.count <= Self.rowsPerMessage {
        group.append(next)
        rows += documents[next].tokens.count
        next += 1
      }
      let states = try client.states(group.map { (UInt64($0), documents[$0].tokens) })
      losses += Self.losses(client.logits(states), group.map { documents[$0].tokens }, model.compute)
      try client.release(group.map(UInt64.init))
    }
    let width = model.configuration.hiddenSize
    let packed = tap.packed(documents.indices.map(UInt64.init), columns: width)
    var observations: [Channel: Observation] = [:]
    if channels.contains(.inputHiddenStates) {
      observations[.inputHiddenStates] = Observation(values: packed.sent, noise: defense.statement)
    }
    if channels.contains(.outputHiddenStates) { observations[.outputHiddenStates] = Observation(values: packed.returned) }
    view = AdversaryView(identity: identity, partition: points, offsets: packed.offsets, observations: observations)
    lossPerDocument = losses
  }

  private static func losses(_ logits: Matrix, _ documents: [[Int32]], _ compute: Compute) -> [Double?] {
    let normalisers = compute.logSumExp(logits)
    var row = 0
    return documents.map { tokens in
      defer { row += tokens.count }
      guard tokens.count > 1 else { return nil }
      let total = (0..<tokens.count - 1).reduce(0.0) { $0 + Double(normalisers[row + $1] - logits[row + $1, Int(tokens[$1 + 1])]) }
      return total / Double(tokens.count - 1)
    }
  }

  /// Statistics of h_A on public text at a cut: what noise relative to the states is relative to.
  package static func statistics(_ auxiliary: [[Int32]], model: LlamaModel, inputBlocks: Int) throws -> StateStatistics {
    let stack = model.stack[0..<inputBlocks]
    var values: [Float] = []
    for group in stride(from: 0, to: min(auxiliary.count, 64), by: 16) {
      let passages = auxiliary[group..<min(group + 16, auxiliary.count)]
      var caches = passages.map { _ in stack.emptyCache() }
      values +=
        stack.forward(model.embedding.gather(passages.flatMap { $0 }), PackedBatch(lengths: passages.map(\.count)), caches: &caches).values
    }
    return try StateStatistics(rows: values, channels: model.configuration.hiddenSize)
  }
}
