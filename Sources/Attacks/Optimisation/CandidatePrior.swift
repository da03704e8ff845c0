import Audit
import Kernels
import Llama

/// ln q of listed candidates at every position of documents that are decoded already, in one forward pass of the public model.
struct CandidatePrior: Sendable {
  let model: LlamaModel
  let unigram: [Float]
  let excluded: [Int32]

  init(_ means: AttackerMeans) {
    (model, unigram, excluded) = (means.model, Unigram.of(means).logProbabilities, means.excluded.sorted())
  }

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
    for sequence in 0..<batch.sequences where batch.range(sequence).count > 1 {
      let rows = batch.range(sequence)
      var caches = [model.emptyCache()]
      let prefix = Array(tokens[rows.lowerBound..<rows.upperBound - 1])
      let states = model.states(prefix, PackedBatch(lengths: [prefix.count]), caches: &caches)
      for first in stride(from: 0, to: prefix.count, by: Self.batch) {
        var logits = model.head.logits(states.slice(first..<min(first + Self.batch, prefix.count)))
        for row in 0..<logits.rows { for token in excluded { logits[row, Int(token)] -= 30 } }
        let normalisers = model.compute.logSumExp(logits)
        for row in 0..<logits.rows {
          let target = rows.lowerBound + first + row + 1
          for k in 0..<count { out[target, k] = logits[row, Int(candidates[target * count + k])] - normalisers[row] }
        }
      }
    }
    return out
  }
}
