package import Audit
package import Kernels
package import SplitLearning

/// Where an exchange files what it sees: a file while it runs, or memory.
package protocol ViewSink: AnyObject {
  /// Rows of the channels that are per token, packed, for documents of `lengths` tokens.
  func append(_ lengths: [Int], _ observed: [Channel: Matrix]) throws
  /// Rows of a channel of training messages.
  func append(_ rows: Matrix, to channel: Channel) throws
}

extension ViewWriter: ViewSink {}

/// Keeps a view in memory.
package final class ViewCollector: ViewSink {
  private let descriptions: [Channel: ChannelDescription]
  private var rows: [Channel: [Float]] = [:]
  private var offsets = [0]

  package init(_ descriptions: [Channel: ChannelDescription]) { self.descriptions = descriptions }

  package func append(_ lengths: [Int], _ observed: [Channel: Matrix]) {
    for length in lengths { offsets.append(offsets[offsets.count - 1] + length) }
    for (channel, matrix) in observed { append(matrix, to: channel) }
  }

  package func append(_ matrix: Matrix, to channel: Channel) { rows[channel, default: []] += matrix.values }

  /// What was collected.
  package func view(
    _ identity: ViewIdentity, _ partition: PartitionPoints, messages: [Int], promptLengths: [Int], inputNoise: NoiseStatement
  )
    -> AdversaryView
  {
    var observations: [Channel: Observation] = [:]
    for (channel, description) in descriptions {
      let values = rows[channel] ?? []
      observations[channel] = Observation(
        values: Matrix(rows: values.count / description.columns, columns: description.columns, values: values),
        dimensions: description.dimensions, unit: description.unit, noise: description.noise, blocks: description.blocks,
        heads: description.heads)
    }
    return AdversaryView(
      identity: identity, partition: partition, offsets: offsets, observations: observations, messages: messages,
      promptLengths: promptLengths, inputNoise: inputNoise)
  }
}
