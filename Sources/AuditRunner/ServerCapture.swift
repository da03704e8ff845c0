import Audit
import Kernels
import Llama

/// Collects the server's own tensors, message by message, and cuts them into rows of view.h5.
final class ServerCapture {
  let channels: [Channel]
  let blocks: [Int]
  let heads: [Int]
  /// Positions of the longest document: a row of a map has as many columns for each head.
  let longest: Int
  private var seen: [ActivationPoint: Matrix] = [:]
  private var rows: [Channel: [Float]] = [:]

  /// Values in a row of each channel.
  private let widths: [Channel: Int]

  init(_ channels: [Channel], blocks: [Int], heads: [Int], longest: Int, widths: [Channel: Int]) {
    (self.channels, self.blocks, self.heads, self.longest) = (channels.filter(\.isServerInternal), blocks, heads, longest)
    self.widths = widths
  }

  private static let tensors: [(Channel, ActivationPoint.Tensor)] = [(.queries, .query), (.keys, .key), (.values, .value)]

  var probe: ActivationProbe? {
    guard !channels.isEmpty else { return nil }
    let wanted = Set(Self.tensors.filter { channels.contains($0.0) }.map(\.1) + (channels.contains(.attentionMaps) ? [.map] : []))
    return ActivationProbe(
      wants: { [blocks] in wanted.contains($0.tensor) && blocks.contains($0.block) }, record: { [unowned self] in seen[$0] = $1 })
  }

  /// Files what one message of `lengths` new positions made.
  func file(_ lengths: [Int]) {
    for (channel, tensor) in Self.tensors where channels.contains(channel) {
      let parts = blocks.compactMap { seen[ActivationPoint(block: $0, tensor: tensor)] }
      for r in 0..<lengths.reduce(0, +) { for part in parts { rows[channel, default: []] += part[row: r] } }
    }
    if channels.contains(.attentionMaps) {
      for (s, length) in lengths.enumerated() {
        let maps = blocks.compactMap { seen[ActivationPoint(block: $0, tensor: .map, sequence: s)] }
        for t in 0..<length {
          for map in maps {
            for head in heads {
              let row = map[row: head * length + t]
              rows[.attentionMaps, default: []] += row
              rows[.attentionMaps]! += repeatElement(0, count: longest - row.count)
            }
          }
        }
      }
    }
    seen = [:]
  }

  /// The rows of all messages since the last call.
  func take() -> [Channel: Matrix] {
    defer { rows = [:] }
    return Dictionary(
      uniqueKeysWithValues: rows.map { channel, values in
        let width = widths[channel] ?? 1
        return (channel, Matrix(rows: values.count / width, columns: width, values: values))
      })
  }
}
