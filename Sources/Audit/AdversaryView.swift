import Diagnostics
package import Kernels
package import SplitLearning

/// Everything that the adversary of one audit cell has seen, and nothing else: it holds no token and no text.
package struct AdversaryView: Sendable, Equatable {
  package var identity: ViewIdentity
  package var partition: PartitionPoints
  /// Row ranges of the documents: document `i` is rows `offsets[i]..<offsets[i + 1]`; `documents + 1` values, first 0, non-decreasing.
  package var offsets: [Int]
  package var observations: [Channel: Observation]
  /// Documents that were one message of training: message `i` is documents `messages[i]..<messages[i + 1]`. One document a message where nothing
  /// else is known.
  package var messages: [Int] {
    get { ownMessages ?? Array(0...documents) }
    set { ownMessages = newValue == Array(0...documents) ? nil : newValue }
  }
  private var ownMessages: [Int]?
  /// Positions that each document sent at once; the rest came one by one, as the model wrote them (O2, O6). Whole documents where nothing else is
  /// known.
  package var promptLengths: [Int] {
    get { ownPromptLengths ?? lengths }
    set { ownPromptLengths = newValue == lengths ? nil : newValue }
  }
  private var ownPromptLengths: [Int]?
  /// What the client's defense publishes about h̃_A, whether that is in the view or only what was computed from it.
  package var inputNoise: NoiseStatement

  package init(
    identity: ViewIdentity, partition: PartitionPoints, offsets: [Int], observations: [Channel: Observation], messages: [Int]? = nil,
    promptLengths: [Int]? = nil, inputNoise: NoiseStatement? = nil
  ) {
    self.inputNoise = inputNoise ?? observations[.inputHiddenStates]?.noise ?? .none
    (self.identity, self.partition, self.offsets, self.observations) = (identity, partition, offsets, observations)
    // What is the default is not kept, so that equal views are equal.
    let documents = max(0, offsets.count - 1)
    ownMessages = messages == Array(0...documents) ? nil : messages
    ownPromptLengths = promptLengths == zip(offsets, offsets.dropFirst()).map { $1 - $0 } ? nil : promptLengths
  }

  package var documents: Int { max(0, offsets.count - 1) }

  /// What was observed of documents `chosen` alone, in that order.
  /// - Throws: when a channel has not one row a token, or several documents were one message: what was observed cannot be taken apart then.
  package func restricted(to chosen: [Int]) throws -> AdversaryView {
    precondition(chosen.allSatisfy((0..<documents).contains), "documents of another view")
    if let (channel, _) = observations.first(where: { !$0.key.isPerToken || $0.value.values.rows != tokens }) {
      throw Fault(
        .invalidData, "\(channel.rawValue) has not one row a token, so some documents cannot be read alone", hint: "remove documents:")
    }
    guard ownMessages == nil else {
      throw Fault(.invalidData, "several documents were one message, so some cannot be read alone", hint: "remove documents:")
    }
    let rows = chosen.flatMap { Array(range(of: $0)) }
    let compute = Compute()
    return AdversaryView(
      identity: identity, partition: partition, offsets: chosen.reduce(into: [0]) { $0.append($0.last! + range(of: $1).count) },
      observations: observations.mapValues {
        var own = $0
        own.values = compute.gather($0.values, rows: rows[...])
        return own
      }, promptLengths: ownPromptLengths.map { lengths in chosen.map { lengths[$0] } }, inputNoise: inputNoise)
  }

  private var lengths: [Int] { zip(offsets, offsets.dropFirst()).map { $1 - $0 } }
  package var tokens: Int { offsets.last ?? 0 }
  package func range(of document: Int) -> Range<Int> { offsets[document]..<offsets[document + 1] }
}

/// Which run, plan, weights and tokenizer a view came from. The hashes are lowercase hex SHA-256.
package struct ViewIdentity: Sendable, Hashable, Codable {
  package var runID: String
  package var planSHA256: String
  package var checkpointSHA256: String
  package var tokenizerSHA256: String
  /// UTC, ISO 8601.
  package var created: String
  package var fedseaVersion: String

  package init(runID: String, planSHA256: String, checkpointSHA256: String, tokenizerSHA256: String, created: String, fedseaVersion: String)
  {
    (self.runID, self.planSHA256, self.checkpointSHA256) = (runID, planSHA256, checkpointSHA256)
    (self.tokenizerSHA256, self.created, self.fedseaVersion) = (tokenizerSHA256, created, fedseaVersion)
  }
}

/// One channel's recorded tensor: N rows (all documents packed) by C columns.
package struct Observation: Sendable, Equatable {
  package var values: Matrix
  /// Names of the dimensions, for example `["token", "channel"]`.
  package var dimensions: [String]
  /// Unit of a value, for example `activation`.
  package var unit: String
  package var noise: NoiseStatement
  /// Indices, in the whole model, of the blocks whose tensors stand side by side in a row; empty for the states at a cut.
  package var blocks: [Int]
  /// Attention heads of each block that were recorded; empty where all were, or where there are none.
  package var heads: [Int]

  package init(
    values: Matrix, dimensions: [String] = ["token", "channel"], unit: String = "activation", noise: NoiseStatement = .none,
    blocks: [Int] = [], heads: [Int] = []
  ) {
    (self.values, self.dimensions, self.unit, self.noise) = (values, dimensions, unit, noise)
    (self.blocks, self.heads) = (blocks, heads)
  }

  /// The columns of block `block`, [rows, columns / blocks], or nil if it was not recorded.
  package func part(of block: Int) -> Matrix? {
    guard let place = blocks.firstIndex(of: block), values.columns.isMultiple(of: blocks.count) else { return nil }
    let width = values.columns / blocks.count
    var out = Matrix(rows: values.rows, columns: width)
    for r in 0..<values.rows {
      let from = r * values.columns + place * width
      out.values.replaceSubrange(r * width..<(r + 1) * width, with: values.values[from..<from + width])
    }
    return out
  }
}
