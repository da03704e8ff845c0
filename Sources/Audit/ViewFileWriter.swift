import Diagnostics
import HDF5
package import Kernels
package import SplitLearning

/// How the values of a view are stored. Offsets and lengths are always int64.
package enum ViewPrecision: String, Sendable, CaseIterable {
  case f32
  /// IEEE binary16: half the bytes, 11 significant bits, nothing above 65504.
  case f16
}

/// What is known about a channel before its first row.
package struct ChannelDescription: Sendable, Equatable {
  /// Values in a row (C).
  package var columns: Int
  package var dimensions: [String]
  package var unit: String
  package var noise: NoiseStatement
  /// See `Observation`.
  package var blocks: [Int]
  package var heads: [Int]

  package init(
    columns: Int, dimensions: [String] = ["token", "channel"], unit: String = "activation", noise: NoiseStatement = .none,
    blocks: [Int] = [], heads: [Int] = []
  ) {
    (self.columns, self.dimensions, self.unit, self.noise) = (columns, dimensions, unit, noise)
    (self.blocks, self.heads) = (blocks, heads)
  }

  package init(_ observation: Observation) {
    self.init(
      columns: observation.values.columns, dimensions: observation.dimensions, unit: observation.unit, noise: observation.noise,
      blocks: observation.blocks, heads: observation.heads)
  }
}

/// Writes view.h5 while a run goes on: documents are appended as the tap sees them, less than one chunk a channel stays in memory, and the file
/// appears when `close()` returns. The bytes depend on the documents only, not on how they were grouped into calls.
package final class ViewWriter {
  private enum Rows {
    case f32(RowAppender<Float>)
    case f16(RowAppender<Float16>)
  }

  private let file: HDF5File
  private let offsets: OffsetsAppender
  private let lengths: RowAppender<Int64>
  /// Tables beside the channels, by path: made when their first row comes.
  private var numbers: [String: RowAppender<Int64>] = [:]
  private var vectors: [String: RowAppender<Float>] = [:]
  /// In the order of `Channel.allCases`, so that the file does not depend on the order of a dictionary.
  private let channels: [(channel: Channel, rows: Rows)]

  /// Starts the file. `Channel.lengths` is always written, from the documents' lengths, and may not be described.
  /// Throws `.cannotCreate` if no file can be made beside `path`.
  package init(
    _ path: String, identity: ViewIdentity, partition: PartitionPoints, inputNoise: NoiseStatement? = nil,
    channels: [Channel: ChannelDescription], precision: ViewPrecision = .f32, deflate: Int = 0
  ) throws {
    precondition(channels[.lengths] == nil, "the lengths of a view are its offsets")
    let file = try HDF5File.create(path)
    try ViewFile.writeHeader(identity, partition, to: file.root)
    try ViewFile.writeNoise(inputNoise ?? channels[.inputHiddenStates]?.noise ?? .none, to: file.root)
    self.file = file
    offsets = try OffsetsAppender(in: file.root)
    lengths = try RowAppender(Channel.lengths.rawValue, in: file.root, columns: nil, storage: HDF5Storage(deflate: 4))
    try lengths.dataset.setAttribute("dims", ["document"])
    try lengths.dataset.setAttribute("unit", "token")
    let storage = HDF5Storage(deflate: deflate)
    self.channels = try Channel.allCases.compactMap { channel in
      guard let description = channels[channel] else { return nil }
      let rows: Rows
      let dataset: HDF5Object
      switch precision {
      case .f32:
        let appender = try RowAppender<Float>(channel.rawValue, in: file.root, columns: description.columns, storage: storage)
        (rows, dataset) = (.f32(appender), appender.dataset)
      case .f16:
        let appender = try RowAppender<Float16>(channel.rawValue, in: file.root, columns: description.columns, storage: storage)
        (rows, dataset) = (.f16(appender), appender.dataset)
      }
      try ViewFile.writeDescription(description, to: dataset)
      return (channel, rows)
    }
  }

  /// Appends documents of `documentLengths` tokens; `observed` holds their rows, packed, for exactly the channels of `init`.
  /// Throws `.invalidData` for a value that is not finite or, in f16, too large; `.inputOutput` when the disk is full.
  package func append(_ documentLengths: [Int], _ observed: [Channel: Matrix]) throws {
    let tokens = documentLengths.reduce(0, +)
    let perToken = channels.filter(\.channel.isPerToken)
    precondition(observed.count == perToken.count, "\(observed.count) channels, expected \(perToken.count)")
    var first = 0
    for length in documentLengths {
      try offsets.append(length)
      try lengths.append(CollectionOfOne(Int64(length)))
      for (channel, rows) in perToken {
        guard let matrix = observed[channel] else { preconditionFailure("no rows for \(channel.rawValue)") }
        precondition(matrix.rows == tokens, "\(matrix.rows) rows of \(channel.rawValue) for \(tokens) tokens")
        let values = matrix.values[first * matrix.columns..<(first + length) * matrix.columns]
        try append(values, columns: matrix.columns, channel, rows)
      }
      first += length
    }
  }

  /// Appends rows of a channel that is not per token, one of those of `init`. Throws as `append(_:_:)`.
  package func append(_ rows: Matrix, to channel: Channel) throws {
    guard !channel.isPerToken, let target = channels.first(where: { $0.channel == channel }) else {
      preconditionFailure("\(channel.rawValue) was not described, or its rows belong to tokens")
    }
    try append(rows.values[...], columns: rows.columns, channel, target.rows)
  }

  /// Appends whole numbers to the table `path` [rows], for example a number a document.
  package func append(numbers values: [Int64], to path: String) throws {
    if numbers[path] == nil { numbers[path] = try RowAppender(path, in: file.root, columns: nil, storage: HDF5Storage(deflate: 4)) }
    try numbers[path]?.append(values)
  }

  /// Writes how documents travelled, where it is not one message a document, sent at once. See `AdversaryView`.
  package func append(messages: [Int], promptLengths: [Int], documentLengths: [Int]) throws {
    if messages != Array(0...documentLengths.count) { try append(numbers: messages.map(Int64.init), to: ViewFile.messagesPath) }
    if promptLengths != documentLengths { try append(numbers: promptLengths.map(Int64.init), to: ViewFile.promptsPath) }
  }

  /// Appends one row to the table `path` [rows, values.count]. Throws `.invalidData` for a value that is not finite.
  package func append(vector values: [Float], to path: String) throws {
    guard let bad = values.first(where: { !$0.isFinite }) else {
      if vectors[path] == nil {
        // Few rows leave most of a chunk empty: deflate keeps that out of the file.
        let appender = try RowAppender<Float>(path, in: file.root, columns: values.count, storage: HDF5Storage(deflate: 1))
        try appender.dataset.setAttribute("dims", ["message", "value"])
        vectors[path] = appender
      }
      precondition(vectors[path]?.columns == values.count, "a row of \(values.count) for \(path)")
      try vectors[path]?.append(values)
      return
    }
    throw Fault(.invalidData, "\(path): \(bad) is not finite", at: file.path)
  }

  /// Writes what is buffered and gives the file its name. Throws `.inputOutput` when the disk is full; the name then holds what it held before.
  package func close() throws {
    try offsets.finish()
    try lengths.finish()
    for appender in numbers.values { try appender.finish() }
    for appender in vectors.values { try appender.finish() }
    for (_, rows) in channels {
      switch rows {
      case .f32(let appender): try appender.finish()
      case .f16(let appender): try appender.finish()
      }
    }
    try file.close()
  }

  private func append(_ values: ArraySlice<Float>, columns: Int, _ channel: Channel, _ rows: Rows) throws {
    func refuse(_ index: Int, _ reason: String, hint: String?) -> Fault {
      Fault(.invalidData, "\(channel.rawValue): \(values[index]) \(reason)", at: file.path, hint: hint)
    }
    // Exponents of all ones are infinities and NaN; one pass without a branch, which a compiler can make wide.
    let strange = values.withUnsafeBufferPointer { $0.reduce(UInt32(0)) { $0 | ($1.bitPattern & 0x7F80_0000 == 0x7F80_0000 ? 1 : 0) } }
    if strange != 0, let index = values.firstIndex(where: { !$0.isFinite }) { throw refuse(index, "is not finite", hint: nil) }
    switch rows {
    case .f32(let appender):
      precondition(appender.columns == columns, "rows of \(columns), expected \(appender.columns)")
      try appender.append(values)
    case .f16(let appender):
      precondition(appender.columns == columns, "rows of \(columns), expected \(appender.columns)")
      let halves = values.map { Float16($0) }
      if let index = halves.firstIndex(where: { !$0.isFinite }) {
        throw refuse(values.startIndex + index, "does not fit binary16", hint: "store the view in f32")
      }
      try appender.append(halves)
    }
  }
}
