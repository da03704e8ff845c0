package import Audit
import Checkpoints
import Diagnostics
import Kernels
package import Llama
import SplitLearning

/// The whole cache of a server as it was captured: keys and values of every block that it runs, document by document, ready to be attended to.
///
/// Keys are stored rotated by their positions 0, 1, …, as the cache of a running server holds them, so they are used as they are.
package struct CapturedCache: Sendable {
  /// Numbers of the server's blocks in the whole model.
  package let server: Range<Int>
  /// One a document.
  package let documents: [SequenceCache]

  /// Throws `Fault` 65 for a missing channel, for a block of the server that was not captured, and for shapes and values that are not of this model.
  package init(_ view: AdversaryView, _ model: LlamaModel, attack: String) throws {
    try view.checkLayout(attack)
    let points = view.partition
    let blocks = model.configuration.blocks
    guard points.input >= 0, points.output >= 0, points.input + points.output < blocks else {
      throw Fault(
        .invalidData,
        "\(attack): \(points.input) and \(points.output) client blocks of a model of \(blocks) leave the server nothing to run",
        hint: "attack with the checkpoint that the view names")
    }
    let server = points.input..<blocks - points.output
    let (keys, values) = (try view.required(.keys, by: attack), try view.required(.values, by: attack))
    var caches = (0..<view.documents).map { _ in SequenceCache(blocks: server.count) }
    for (channel, observation) in [(Channel.keys, keys), (.values, values)] {
      let missing = server.filter { !observation.blocks.contains($0) }
      guard missing.isEmpty else {
        throw Fault(
          .invalidData,
          "\(attack) runs the server on its captured cache, so it needs all of it: \(channel.rawValue) of \(missing.count) of its blocks were not "
            + "captured (\(missing.prefix(8).map(String.init).joined(separator: ", "))\(missing.count > 8 ? ", …" : ""))",
          hint: "capture: {blocks: [all]}")
      }
      for (i, block) in server.enumerated() {
        let width = model.stack.blocks[block].shape.keyWidth
        guard let part = observation.part(of: block) else {
          throw Fault(.invalidData, "\(attack): \(channel.rawValue) does not fit block \(block) of this model")
        }
        try view.checkRows(part, "\(channel.rawValue) of block \(block)", width: width, attack)
        for document in 0..<view.documents {
          let rows = view.range(of: document)
          let flat = Array(part.values[rows.lowerBound * width..<rows.upperBound * width])
          if channel == .keys { caches[document].blocks[i].keys = flat } else { caches[document].blocks[i].values = flat }
          caches[document].blocks[i].length = rows.count
        }
      }
    }
    (self.server, documents) = (server, caches)
  }
}
