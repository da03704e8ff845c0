import Diagnostics
import HDF5
import Kernels
import SplitLearning

/// view.h5: an `AdversaryView` that h5py, h5dump and pandas open.
///
/// Root attributes `encoding-type="fedsea-view"`, `encoding-version`, `run_id`, `plan_sha256`, `checkpoint_sha256`, `tokenizer_sha256`, `created`,
/// `fedsea_version`, `partition_input`, `partition_output`, and the noise attributes below, of h̃_A whether it is recorded or not; `/samples/offsets` int64 [documents + 1]; `/metadata/lengths` int64 [documents]; one
/// dataset [N, C] a channel at the path of its raw value, f32 or IEEE f16, with the attributes `dims`, `unit`, `defense`, `noise_law` and,
/// unless it is withheld, `noise_sigma`, and where they apply `noise_clip` with `noise_clip_norm` (l1, l2), `noise_step`, `noise_kept`. Rows are extendable, chunks about 128 KiB (or one row), each with a Fletcher-32 checksum.
package enum ViewFile {
  static let encoding = "fedsea-view"

  /// Writes a view, whole or not at all: the same bytes as a `ViewWriter` that is given its documents one by one.
  ///
  /// `Channel.lengths` is what `offsets` say; it is written always and never read back as an observation.
  /// Throws `.invalidData` for values that are not finite or do not fit f16, `.cannotCreate`, `.inputOutput`.
  package static func write(_ view: AdversaryView, to path: String, precision: ViewPrecision = .f32, deflate: Int = 0) throws {
    let observations = view.observations.filter { $0.key != .lengths }
    let writer = try ViewWriter(
      path, identity: view.identity, partition: view.partition, inputNoise: view.inputNoise,
      channels: observations.mapValues(ChannelDescription.init), precision: precision, deflate: deflate)
    let lengths = (0..<view.documents).map { view.range(of: $0).count }
    try writer.append(lengths, observations.filter(\.key.isPerToken).mapValues(\.values))
    for (channel, observation) in observations where !channel.isPerToken { try writer.append(observation.values, to: channel) }
    try writer.append(messages: view.messages, promptLengths: view.promptLengths, documentLengths: lengths)
    try writer.close()
  }

  /// Reads an untrusted view: every attribute, shape, offset and value is checked. All values are in memory afterwards, 4 bytes each.
  /// Throws `.missingInput`, or `.invalidData` for whatever is not as `ViewFile` says.
  /// - Parameter channels: what to read of it; the others are neither read nor checked.
  package static func read(_ path: String, channels: [Channel] = Channel.allCases) throws -> AdversaryView {
    let file = try HDF5File.open(path)
    let root = file.root
    try root.requireEncoding(encoding)
    let identity = try readIdentity(root)
    let partition = PartitionPoints(input: try blocks("partition_input", root), output: try blocks("partition_output", root))
    let offsets = try root.readOffsets()
    try checkLengths(root, offsets)
    var observations: [Channel: Observation] = [:]
    for channel in Channel.allCases where channel != .lengths && channels.contains(channel) {
      if try root.contains(channel.rawValue) {
        observations[channel] = try readObservation(root.dataset(channel.rawValue), channel, tokens: offsets[offsets.count - 1])
      }
    }
    let messages = try readMessages(root, documents: offsets.count - 1)
    let prompts = try readPrompts(root, offsets)
    let noise = try root.hasAttribute("noise_law") ? readNoise(root, columns: Int(Int32.max)) : nil
    try file.close()
    return AdversaryView(
      identity: identity, partition: partition, offsets: offsets, observations: observations, messages: messages, promptLengths: prompts,
      inputNoise: noise)
  }

  /// Paths of what is told of the traffic beside the channels, where it is not the default: int64 [messages + 1] and int64 [documents].
  static let messagesPath = "metadata/messages"
  static let promptsPath = "metadata/prompt_lengths"

  private static func readMessages(_ root: HDF5Group, documents: Int) throws -> [Int]? {
    guard try root.contains(messagesPath) else { return nil }
    let dataset = try root.dataset(messagesPath)
    guard dataset.shape.count == 1 else { throw dataset.invalid("shape \(dataset.shape), expected [messages + 1]") }
    let numbers = try dataset.integers()
    guard numbers.first == 0, numbers.last == Int64(documents), zip(numbers, numbers.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw dataset.invalid("it must rise from 0 to the \(documents) documents")
    }
    return numbers.map(Int.init)
  }

  private static func readPrompts(_ root: HDF5Group, _ offsets: [Int]) throws -> [Int]? {
    guard try root.contains(promptsPath) else { return nil }
    let dataset = try root.dataset(promptsPath)
    guard dataset.shape == [offsets.count - 1] else {
      throw dataset.invalid("shape \(dataset.shape), but there are \(offsets.count - 1) documents")
    }
    let numbers = try dataset.integers()
    for (document, number) in numbers.enumerated() where !(0...Int64(offsets[document + 1] - offsets[document])).contains(number) {
      throw dataset.invalid("document \(document) sent \(number) positions at once, of \(offsets[document + 1] - offsets[document])")
    }
    return numbers.map(Int.init)
  }

  static func writeHeader(_ identity: ViewIdentity, _ partition: PartitionPoints, to root: HDF5Group) throws {
    try root.setEncoding(encoding)
    try root.setAttribute("run_id", identity.runID)
    try root.setAttribute("plan_sha256", identity.planSHA256)
    try root.setAttribute("checkpoint_sha256", identity.checkpointSHA256)
    try root.setAttribute("tokenizer_sha256", identity.tokenizerSHA256)
    try root.setAttribute("created", identity.created)
    try root.setAttribute("fedsea_version", identity.fedseaVersion)
    try root.setAttribute("partition_input", Int64(partition.input))
    try root.setAttribute("partition_output", Int64(partition.output))
  }

  static func writeDescription(_ description: ChannelDescription, to dataset: HDF5Object) throws {
    try dataset.setAttribute("dims", description.dimensions)
    try dataset.setAttribute("unit", description.unit)
    try writeNoise(description.noise, to: dataset)
    if !description.blocks.isEmpty { try dataset.setAttribute("blocks", description.blocks.map(Int64.init)) }
    if !description.heads.isEmpty { try dataset.setAttribute("heads", description.heads.map(Int64.init)) }
  }

  static func writeNoise(_ noise: NoiseStatement, to object: HDF5Object) throws {
    try object.setAttribute("defense", noise.defense)
    try object.setAttribute("noise_law", noise.law.rawValue)
    if let sigma = noise.sigma { try object.setAttribute("noise_sigma", sigma) }
    if let clip = noise.clip {
      try object.setAttribute("noise_clip", clip)
      try object.setAttribute("noise_clip_norm", noise.clippedNorm.rawValue)
    }
    if let step = noise.step { try object.setAttribute("noise_step", step) }
    if let kept = noise.kept { try object.setAttribute("noise_kept", Int64(kept)) }
    if let order = noise.order { try object.setAttribute("row_order", order.rawValue) }
  }

  private static func readIdentity(_ root: HDF5Group) throws -> ViewIdentity {
    ViewIdentity(
      runID: try root.text("run_id"), planSHA256: try root.text("plan_sha256"), checkpointSHA256: try root.text("checkpoint_sha256"),
      tokenizerSHA256: try root.text("tokenizer_sha256"), created: try root.text("created"), fedseaVersion: try root.text("fedsea_version"))
  }

  private static func blocks(_ name: String, _ root: HDF5Group) throws -> Int {
    let number = try root.integer(name)
    guard (0...1_000_000).contains(number) else { throw root.invalid("the attribute \(name) is \(number), expected a number of blocks") }
    return Int(number)
  }

  private static func checkLengths(_ root: HDF5Group, _ offsets: [Int]) throws {
    let dataset = try root.dataset(Channel.lengths.rawValue)
    guard dataset.shape == [offsets.count - 1] else {
      throw dataset.invalid("shape \(dataset.shape), but there are \(offsets.count - 1) documents")
    }
    for (document, length) in try dataset.integers().enumerated() where length != offsets[document + 1] - offsets[document] {
      throw dataset.invalid("document \(document) has length \(length), but its offsets say \(offsets[document + 1] - offsets[document])")
    }
  }

  private static func readObservation(_ dataset: HDF5Dataset, _ channel: Channel, tokens: Int) throws -> Observation {
    guard dataset.shape.count == 2, !channel.isPerToken || dataset.rows == tokens, dataset.columns >= 1 else {
      throw dataset.invalid("shape \(dataset.shape), but the offsets end at \(tokens): expected [\(tokens), C]")
    }
    let noise = try readNoise(dataset, columns: dataset.columns)
    let dimensions = try dataset.texts("dims")
    guard dimensions.count == 2 else { throw dataset.invalid("the attribute dims names \(dimensions.count) dimensions, expected 2") }
    let (blocks, heads) = (try places("blocks", dataset), try places("heads", dataset))
    guard blocks.isEmpty || dataset.columns.isMultiple(of: blocks.count * max(1, heads.count)) else {
      throw dataset.invalid("\(dataset.columns) columns do not divide among \(blocks.count) blocks and \(max(1, heads.count)) heads")
    }
    let values = try dataset.floats()
    if let index = values.firstIndex(where: { !$0.isFinite }) {
      throw dataset.invalid("\(values[index]) at row \(index / dataset.columns), column \(index % dataset.columns), expected finite values")
    }
    return Observation(
      values: Matrix(rows: dataset.rows, columns: dataset.columns, values: values), dimensions: dimensions, unit: try dataset.text("unit"),
      noise: noise, blocks: blocks, heads: heads)
  }

  /// An attribute that lists block or head numbers, rising; empty when it is missing.
  private static func places(_ name: String, _ dataset: HDF5Dataset) throws -> [Int] {
    guard try dataset.hasAttribute(name) else { return [] }
    let numbers = try dataset.integers(name)
    guard numbers.allSatisfy({ (0..<1_000_000).contains($0) }), zip(numbers, numbers.dropFirst()).allSatisfy({ $0 < $1 }) else {
      throw dataset.invalid("the attribute \(name) must list rising numbers from 0")
    }
    return numbers.map(Int.init)
  }

  private static func readNoise(_ object: HDF5Object, columns: Int) throws -> NoiseStatement {
    func number(_ name: String, _ expected: String, _ isValid: (Double) -> Bool) throws -> Double? {
      guard try object.hasAttribute(name) else { return nil }
      let value = try object.real(name)
      guard value.isFinite, isValid(value) else { throw object.invalid("\(name) is \(value), expected \(expected)") }
      return value
    }
    let name = try object.text("noise_law")
    guard let law = NoiseStatement.Law(rawValue: name) else {
      let known = NoiseStatement.Law.allCases.map(\.rawValue).joined(separator: ", ")
      throw object.invalid("noise_law is \"\(name)\", expected one of \(known)")
    }
    let sigma = try number("noise_sigma", "a standard deviation") { $0 >= 0 }
    let clip = try number("noise_clip", "a bound on a norm") { $0 > 0 }
    var norm: NoiseStatement.Norm?
    if try object.hasAttribute("noise_clip_norm") {
      let name = try object.text("noise_clip_norm")
      norm = NoiseStatement.Norm(rawValue: name)
      if norm == nil { throw object.invalid("noise_clip_norm is \"\(name)\", expected l1 or l2") }
    }
    let step = try number("noise_step", "the width of a bin") { $0 > 0 }
    let kept = try object.hasAttribute("noise_kept") ? object.integer("noise_kept") : nil
    if let kept, !(1...Int64(columns)).contains(kept) { throw object.invalid("noise_kept is \(kept) of \(columns)") }
    if law == .quantized && step == nil { throw object.invalid("noise_law is quantized, but noise_step is missing") }
    if law == .sparsified && kept == nil { throw object.invalid("noise_law is sparsified, but noise_kept is missing") }
    var order: NoiseStatement.RowOrder?
    if try object.hasAttribute("row_order") {
      let name = try object.text("row_order")
      order = NoiseStatement.RowOrder(rawValue: name)
      if order == nil { throw object.invalid("row_order is \"\(name)\", expected secret, or no such attribute") }
    }
    return NoiseStatement(
      defense: try object.text("defense"), law: law, sigma: sigma, clip: clip, norm: norm, step: step, kept: kept.map(Int.init),
      order: order)
  }
}
