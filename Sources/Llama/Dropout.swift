import Kernels

/// Dropout on the input of every adapter (Hu et al. 2021; PEFT's `lora_dropout`): each matrix's adapter sees its own mask, the frozen product sees
/// the whole input. A mask is a pure function of seed, block, matrix, sequence and position, so that it depends neither on the partition nor on
/// how texts are batched, and the backward pass draws it again instead of keeping it.
package struct AdapterDropout: Sendable, Hashable {
  /// Probability that an input is dropped, 0..<1.
  package var rate: Float
  package var seed: UInt64

  package init(rate: Float, seed: UInt64) {
    precondition(rate >= 0 && rate < 1, "a dropout rate of \(rate)")
    (self.rate, self.seed) = (rate, seed)
  }

  /// x ⊙ mask / (1 − rate). x [N, inputs]; `rows` names each row's sequence and position.
  func apply(_ x: Matrix, block: Int, target: AdapterTarget, rows: [UInt64], _ compute: Compute) -> Matrix {
    let stream = CounterRandom(seed: seed, stream: "dropout/\(block)/\(target.rawValue)").words(item: 0, index: 0)
    return compute.dropout(x, rate: rate, rows: rows, key: UInt64(stream.0) << 32 | UInt64(stream.1))
  }

  /// One word a row: the sequence in the high bits, the position in the low 20.
  static func rows(_ sequences: [UInt64], _ batch: PackedBatch) -> [UInt64] {
    (0..<batch.sequences).flatMap { s in batch.range(s).map { sequences[s] << 20 | UInt64(batch.pasts[s] + $0 - batch.offsets[s]) } }
  }
}
