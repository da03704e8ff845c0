package import Audit
import Checkpoints
import Diagnostics
import Kernels
package import Llama
package import Privacy
package import PrivateText
package import SplitLearning

/// One run of the private documents through client, wire and server, with the tap in the server's seat: inference, and where a channel of training
/// is asked for, one training step a message on the same states, with the next token as label.
package struct SplitExchange {
  /// What crosses, apart from the texts.
  package struct Setting {
    package var model: LlamaModel
    package var points: PartitionPoints
    package var defense: PreparedDefense
    /// What the client does to ∂L/∂h_B.
    package var gradientProtector: (any StateProtector)?
    /// What it publishes of that; its clip bounds the norm of a document's whole gradient.
    package var gradientStatement: NoiseStatement = .none
    package var channels: [Channel]
    package var capture = CapturePlan()
    /// Tokens that the model writes in answer to each document.
    package var responses = 0

    package init(_ model: LlamaModel, _ points: PartitionPoints, _ defense: PreparedDefense, channels: [Channel]) {
      (self.model, self.points, self.defense, self.channels) = (model, points, defense, channels.filter { $0 != .lengths })
    }
  }

  /// The documents as the server saw them: with the model's answers at their end.
  package let documents: [PrivateDocument]
  /// Mean negative log-likelihood per document under the protected split model, nats per predicted token; nil for documents of one token.
  package let lossPerDocument: [Double?]
  /// See `AdversaryView`.
  package let messages: [Int]
  package let promptLengths: [Int]

  /// Rows that travel together, at most; fewer where much is recorded of each, so that what is recorded of a message stays under 64 MiB unless one document
  /// alone has more.
  private static let rowsPerMessage = 1024
  private static let valuesPerMessage = 1 << 24

  /// What is known of each channel before the first document is sent.
  /// - Parameter longest: tokens of the longest document, without its response.
  /// Throws `Fault` 65 for a partition that the model cannot have, or a block or head that the server does not have.
  package static func descriptions(_ setting: Setting, longest: Int) throws -> [Channel: ChannelDescription] {
    let configuration = setting.model.configuration
    let points = try setting.points.validated(blocks: configuration.blocks)
    let server = points.input..<configuration.blocks - points.output
    let (width, head) = (configuration.hiddenSize, configuration.headDimension)
    let isInternal = setting.channels.contains(where: \.isServerInternal)
    let blocks = isInternal ? try setting.capture.blocks(of: server) : []
    let heads = try setting.capture.heads(of: configuration.heads)
    func perBlock(_ columns: Int, _ dimensions: [String], heads: [Int] = []) -> ChannelDescription {
      ChannelDescription(columns: blocks.count * columns, dimensions: dimensions, blocks: blocks, heads: heads)
    }
    var out: [Channel: ChannelDescription] = [:]
    for channel in setting.channels {
      switch channel {
      case .inputHiddenStates: out[channel] = ChannelDescription(columns: width, noise: setting.defense.statement)
      case .outputHiddenStates: out[channel] = ChannelDescription(columns: width)
      case .outputGradients:
        out[channel] = ChannelDescription(columns: width, unit: "nats per activation", noise: setting.gradientStatement)
      case .inputGradients: out[channel] = ChannelDescription(columns: width, unit: "nats per activation")
      case .queries: out[channel] = perBlock(configuration.heads * head, ["token", "block and channel"])
      case .keys, .values: out[channel] = perBlock(configuration.keyValueHeads * head, ["token", "block and channel"])
      case .attentionMaps:
        var description = perBlock(
          heads.count * (longest + setting.responses), ["token", "block, head and attended position"], heads: heads)
        description.unit = "probability"
        out[channel] = description
      case .queryWeightGradients:
        let own = Array(0..<min(setting.capture.clientBlocks, setting.points.input))
        guard !own.isEmpty else { continue }
        out[channel] = ChannelDescription(
          columns: own.count * width, dimensions: ["message and query channel", "block and channel"], unit: "nats per weight", blocks: own)
      case .lengths: break
      }
    }
    return out
  }

  /// Sends all documents and files what the server sees. Returns what it keeps for the scorer.
  /// - Parameter decode: the text of tokens, for responses.
  package init(
    _ documents: [PrivateDocument], _ setting: Setting, into sink: any ViewSink, decode: ([Int32]) -> String = { _ in "" },
    progress: (Double) throws -> Void = { _ in }
  ) throws {
    let (model, width) = (setting.model, setting.model.configuration.hiddenSize)
    let points = try setting.points.validated(blocks: model.configuration.blocks)
    let descriptions = try Self.descriptions(setting, longest: documents.map(\.tokens.count).max() ?? 0)
    let server = SplitServer(MiddleBlocks(model, points))
    let internals = setting.channels.filter(\.isServerInternal)
    let blocks = internals.first.flatMap { descriptions[$0]?.blocks } ?? []
    let capture = ServerCapture(
      internals, blocks: blocks, heads: try setting.capture.heads(of: model.configuration.heads),
      longest: (documents.map(\.tokens.count).max() ?? 0) + setting.responses, widths: descriptions.mapValues(\.columns))
    server.probe = capture.probe
    let basis = setting.defense.protector as? any SecretBasis
    let seat: any SplitTransport = basis.map { FoldedServer(InProcessTransport(server), $0) } ?? InProcessTransport(server)
    let tap = Tap(seat)
    let client = SplitClient(
      input: InputBlocks(model, points), output: OutputBlocks(model, points),
      transport: basis.map { UnfoldingTransport(tap, $0) } ?? tap as any SplitTransport, protector: setting.defense.protector)
    if basis != nil, let other = setting.channels.first(where: { $0 != .inputHiddenStates && $0 != .outputHiddenStates }) {
      throw Fault(
        .invalidData, "\(other.rawValue) is not recorded under a secret basis", hint: "its tensors are in that basis too; attack the states"
      )
    }
    let training = setting.channels.contains(where: \.isOfTraining) ? TrainingExchange(setting) : nil

    var sent = documents
    var losses: [Double?] = []
    var messages = [0]
    var next = 0
    let rowsTogether = min(Self.rowsPerMessage, Self.valuesPerMessage / max(1, descriptions.values.reduce(0) { $0 + $1.columns }))
    while next < documents.count {
      let group = Self.group(documents, from: next, setting, isTraining: training != nil, rowsTogether: rowsTogether)
      let ids = group.map(UInt64.init)
      let states = try client.states(group.map { (UInt64($0), documents[$0].tokens) })
      capture.file(group.map { documents[$0].tokens.count })
      var first = 0
      for tokens in group.map({ documents[$0].tokens }) {
        losses.append(Self.loss(client.logits(states.slice(first..<first + tokens.count)), tokens, model.compute))
        first += tokens.count
      }
      if setting.responses > 0 {
        var last = client.logits(states.slice(states.rows - 1..<states.rows))
        for _ in 0..<setting.responses {
          let token = Sampling.greedy.choose(last[row: 0], random: CounterRandom(seed: 0, stream: "response"), sequence: 0, step: 0)
          sent[next].tokens.append(token)
          last = client.logits(try client.states([(ids[0], [token])]))
          capture.file([1])
        }
        sent[next].text = decode(sent[next].tokens)
        sent[next].promptLength = documents[next].tokens.count
      }
      try client.release(ids)
      let seen = tap.packed(ids, columns: width)
      tap.forget(ids)
      var rows = capture.take()
      rows[.inputHiddenStates] = seen.sent
      rows[.outputHiddenStates] = seen.returned
      if let training {
        let step = training.step(group.map { (UInt64($0), sent[$0].tokens) }, sent: seen.sent, returned: seen.returned)
        rows[.outputGradients] = step.output
        rows[.inputGradients] = step.input
        if let queries = step.queries { try sink.append(queries, to: .queryWeightGradients) }
        messages.append(group.upperBound)
      }
      try sink.append(group.map { sent[$0].tokens.count }, rows.filter { descriptions[$0.key] != nil })
      next = group.upperBound
      try progress(Double(next) / Double(documents.count))
    }
    self.documents = sent
    lossPerDocument = losses
    self.messages = messages.count > 1 ? messages : Array(0...documents.count)
    promptLengths = documents.map(\.tokens.count)
  }

  /// The same into view.h5, written while it runs: memory holds one message.
  package static func dump(
    _ documents: [PrivateDocument], _ setting: Setting, identity: ViewIdentity, to path: String, withholdsNoise: Bool = false,
    precision: ViewPrecision = .f32, decode: ([Int32]) -> String, progress: (Double) throws -> Void = { _ in }
  ) throws -> SplitExchange {
    var channels = try descriptions(setting, longest: documents.map(\.tokens.count).max() ?? 0)
    var inputNoise = setting.defense.statement
    if withholdsNoise {
      inputNoise = inputNoise.withheld
      for channel in channels.keys { channels[channel]!.noise = channels[channel]!.noise.withheld }
    }
    let writer = try ViewWriter(
      path, identity: identity, partition: setting.points, inputNoise: inputNoise, channels: channels, precision: precision)
    let exchange = try SplitExchange(documents, setting, into: writer, decode: decode, progress: progress)
    try writer.append(
      messages: exchange.messages, promptLengths: exchange.promptLengths, documentLengths: exchange.documents.map(\.tokens.count))
    try writer.close()
    return exchange
  }

  /// The same in memory.
  package static func view(
    _ documents: [PrivateDocument], _ setting: Setting, identity: ViewIdentity, decode: ([Int32]) -> String = { _ in "" }
  ) throws -> (exchange: SplitExchange, view: AdversaryView) {
    let collector = ViewCollector(try descriptions(setting, longest: documents.map(\.tokens.count).max() ?? 0))
    let exchange = try SplitExchange(documents, setting, into: collector, decode: decode)
    return (
      exchange,
      collector.view(
        identity, setting.points, messages: exchange.messages, promptLengths: exchange.promptLengths, inputNoise: setting.defense.statement)
    )
  }

  /// Documents that travel together: a training message, one document with its answer, or as many as make `rowsTogether` rows.
  private static func group(
    _ documents: [PrivateDocument], from next: Int, _ setting: Setting, isTraining: Bool, rowsTogether: Int
  ) -> Range<Int> {
    if setting.responses > 0 { return next..<next + 1 }
    if isTraining { return next..<min(documents.count, next + setting.capture.batch) }
    var (end, rows) = (next, 0)
    while end < documents.count, end == next || rows + documents[end].tokens.count <= rowsTogether {
      rows += documents[end].tokens.count
      end += 1
    }
    return next..<end
  }

  /// Mean over the tokens after the first, nats; nil for a document of one token.
  private static func loss(_ logits: Matrix, _ tokens: [Int32], _ compute: Compute) -> Double? {
    guard tokens.count > 1 else { return nil }
    let normalisers = compute.logSumExp(logits)
    let total = (0..<tokens.count - 1).reduce(0.0) { $0 + Double(normalisers[$1] - logits[$1, Int(tokens[$1 + 1])]) }
    return total / Double(tokens.count - 1)
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
