import Attacks
package import Audit
import Checkpoints
import Kernels
import LeakageMetrics
import Llama
package import PrivateText

/// How far apart tokens lie at a cut: for a position of private text, the distance between the state of the true token and that of its nearest
/// rival after the same prefix. Noise of standard deviation σ confuses two tokens at distance D with probability Q(D / 2σ), so these distances
/// explain every curve of success over noise.
package enum MarginMeasurement {
  /// Rivals that are run through the client's blocks: those whose anchors lie nearest. The minimum over them bounds the true minimum from above.
  package static let rivals = 128

  /// Distances at up to `positions` positions of the documents, evenly spread. L2 over all channels, activation units.
  package static func distances(_ documents: [PrivateDocument], inputBlocks: Int, positions: Int, _ means: AttackerMeans) -> [Double] {
    let model = means.model
    let stack = model.stack[0..<inputBlocks]
    let anchors = AnchorTable.at(inputBlocks, means)
    let all = documents.indices.flatMap { d in documents[d].tokens.indices.map { (d, $0) } }
    let step = max(1, all.count / max(1, positions))
    return stride(from: step / 2, to: all.count, by: step).map { k in
      let (d, t) = all[k]
      let (prefix, truth) = (Array(documents[d].tokens[0..<t]), documents[d].tokens[t])
      var cache = [stack.emptyCache()]
      if t > 0 { _ = stack.forward(model.embedding.gather(prefix), PackedBatch(lengths: [t]), caches: &cache) }
      let near = anchors.nearest(to: truth, count: rivals, isFirst: t == 0, model.compute)
      let candidates = [truth] + near.filter { $0 != truth && !means.excluded.contains($0) }
      let states = stack.candidates(model.embedding.gather(candidates), prefixOf: candidates.map { _ in 0 }, caches: cache)
      let squared = model.compute.squaredDistances(states, to: states.slice(0..<1), target: candidates.map { _ in 0 })
      return Double(squared.dropFirst().min() ?? 0).squareRoot()
    }
  }

  /// The histogram of a cut, from 16 positions a document at most, 192 in all.
  package static func histogram(_ documents: [PrivateDocument], inputBlocks: Int, rms: Double, _ means: AttackerMeans) throws
    -> MarginHistogram
  {
    try MarginHistogram(
      distances: distances(documents, inputBlocks: inputBlocks, positions: min(192, 16 * documents.count), means), inputBlocks: inputBlocks,
      rms: rms, channels: means.model.configuration.hiddenSize)
  }
}
