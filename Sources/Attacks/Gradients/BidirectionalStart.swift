import Audit
import Checkpoints
import Kernels
import Llama

/// K candidate tokens at each position of a document, from all that the server holds, with a start for Z and a prior.
///
/// A third of a list each are the anchors' best, the best of the victim's prediction, and the labels along the returned gradient; repetitions leave
/// room for more of the anchors'. Under noise on one channel the lists of the others still hold the truth.
struct BidirectionalStart {
  /// [T, K] flat.
  let ids: [Int32]
  /// How many nats a candidate falls behind the best under the anchors, at least `floor` [T, K] flat.
  let scores: [Float]
  /// ln p under the victim's prediction, under the unigram prior at the first position [T, K].
  let prior: Matrix

  /// The anchors' residuals are correlated between channels, so their likelihood is far too sure of itself: a sixteenth of it, and at least this.
  private static let floor: Float = -6
  private static let doubt: Float = 16

  /// - Parameter labels: nil for a document without a label.
  init(_ chunk: InversionChunk, _ labels: LabelScores?, count: Int, _ means: AttackerMeans) {
    let unigram = Unigram.of(means).logProbabilities
    let (anchored, nats) = AnchorCandidates.top(count, chunk, means)
    var labels = labels
    var (ids, scores, prior): ([Int32], [Float], [Float]) = ([], [], [])
    for t in 0..<chunk.rows.count {
      let own = Array(anchored[t * count..<(t + 1) * count])
      let ownScores = nats[t * count..<(t + 1) * count].map { max(Self.floor, $0 / Self.doubt) }
      var (lists, logP) = ([own], unigram)
      if t > 0, let (prediction, alignment) = labels?.at(t - 1) {
        lists = [Array(own.prefix(count - 2 * (count / 3))), largest(count / 3, of: prediction), largest(count / 3, of: alignment), own]
        logP = prediction
      }
      let known = Dictionary(zip(own, ownScores)) { first, _ in first }
      var listed: Set<Int32> = []
      for id in lists.joined() where listed.count < count && listed.insert(id).inserted {
        ids.append(id)
        // One that the anchors do not list is as good as the last that they do.
        scores.append(known[id] ?? ownScores[count - 1])
        prior.append(logP[Int(id)])
      }
    }
    (self.ids, self.scores) = (ids, scores)
    self.prior = Matrix(rows: chunk.rows.count, columns: count, values: prior)
  }
}
