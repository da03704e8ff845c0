import Audit
import Kernels
import Llama

/// ln q of listed candidates at every position of documents that are decoded already, in one forward pass of the public model.
struct CandidatePrior: Sendable {
  private let means: AttackerMeans
  private let unigram: [Float]

  init(_ means: AttackerMeans) { (self.means, unigram) = (means, Unigram.of(means).logProbabilities) }

  /// Positions that go through the head at once.
  private static let batch = 64

  /// The unigram prior of public text, [N, K]. `candidates` [N, K] flat.
  func unigram(_ candidates: [Int32], count: Int) -> Matrix {
    Matrix(rows: candidates.count / count, columns: count, values: candidates.map { unigram[Int($0)] })
  }

  /// ln q(candidate | tokens before it), [N, K]; first positions have the unigram prior.
  /// - Parameters:
  ///   - tokens: one a row, the decode so far.
  ///   - candidates: [N, K] flat.
  func languageModel(_ tokens: [Int32], _ batch: PackedBatch, _ candidates: [Int32], count: Int) -> Matrix {
    var out = unigram(candidates, count: count)
    let model = means.model
    for sequence in 0..<batch.sequences where batch.range(sequence).count > 1 {
      let rows = batch.range(sequence)
      var caches = [model.emptyCache()]
      let prefix = Array(tokens[rows.lowerBound..<rows.upperBound - 1])
      let states = model.states(prefix, PackedBatch(lengths: [prefix.count]), caches: &caches)
      for first in stride(from: 0, to: prefix.count, by: Self.batch) {
        let next = means.textLogProbabilities(model.head.logits(states.slice(first..<min(first + Self.batch, prefix.count))))
        for row in 0..<next.rows {
          let target = rows.lowerBound + first + row + 1
          for k in 0..<count { out[target, k] = next[row, Int(candidates[target * count + k])] }
        }
      }
    }
    return out
  }
}
