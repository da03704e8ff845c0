package import Audit
package import Kernels
import Checkpoints
import Diagnostics
import Llama
import SplitLearning

/// An attack on text that the attacker knows: public passages through its own copy of the client's blocks and the published defense. Learned
/// attacks train on rehearsals and every attack picks its hyper-parameters on one; private text is never involved.
package struct Rehearsal: Sendable {
  /// As if the passages were the victim's.
  package let view: AdversaryView
  /// Token ids of each document of the view.
  package let truth: [[Int32]]

  /// The clean states [N, C] of the passages at the cut.
  package let clean: Matrix
}

extension AdversaryView {
  /// Throws where the size of the noise on h̃_A is withheld: what it becomes in the server's tensors is rehearsed, and cannot be estimated from these.
  func requireKnownNoise(by attack: String) throws {
    guard inputNoise.law.drawsNoise, inputNoise.sigma == nil else { return }
    throw Fault(.invalidData, "not applicable: \(attack) rehearses the client's noise, and its size is withheld")
  }
}

extension AttackerMeans {
  /// Passages `range` of the auxiliary text (clamped to what is there) as a victim's documents, at the cut and under the defense of `view`.
  /// - Parameters:
  ///   - sigma: the deviation of the noise where the statement withholds it, or to train for another one.
  ///   - stream: names the draws: other streams, other noise.
  package func rehearsal(like view: AdversaryView, passages range: Range<Int>, sigma: Double? = nil, stream: String) -> Rehearsal {
    let passages = Array(auxiliary[range.clamped(to: 0..<auxiliary.count)]).filter { !$0.isEmpty }
    let noise = view.observations[.inputHiddenStates]?.noise ?? .none
    let (clean, observed) = sent(passages, inputBlocks: view.partition.input, under: noise, sigma: sigma, stream: stream)
    return Rehearsal(
      view: AdversaryView(
        identity: view.identity, partition: view.partition, offsets: passages.reduce(into: [0]) { $0.append($0.last! + $1.count) },
        observations: [.inputHiddenStates: Observation(values: observed, noise: noise)]),
      truth: passages, clean: clean)
  }

  /// Public passages at the cut, packed [N, C]: as they are, and as a victim under the published `noise` would send them.
  /// - Parameters:
  ///   - number: of the first passage, where passages are sent one by one: other numbers, other noise.
  ///   - sigma: as for `rehearsal`.
  ///   - stream: names the draws.
  func sent(
    _ passages: [[Int32]], inputBlocks: Int, under noise: NoiseStatement, number: Int = 0, sigma: Double? = nil, stream: String
  ) -> (clean: Matrix, sent: Matrix) {
    let clean = states(of: passages, inputBlocks: inputBlocks)
    let sent = noise.observed(
      clean, sequences: passages.indices.flatMap { i in passages[i].map { _ in UInt64(number + i) } },
      positions: passages.flatMap(\.indices),
      sigma: sigma, random: CounterRandom(seed: trainingSeed, stream: "rehearsal/\(stream)"), model.compute)
    return (clean, sent)
  }

  /// Clean states [N, C] of passages after the first `inputBlocks` blocks of the attacker's copy of the model, packed.
  package func states(of passages: [[Int32]], inputBlocks: Int) -> Matrix {
    states(of: passages, through: model.stack[0..<inputBlocks])
  }

  /// States [N, C] of passages after the blocks of `stack`, which follow the embedding, packed.
  func states(of passages: [[Int32]], through stack: BlockStack) -> Matrix {
    var values: [Float] = []
    for start in stride(from: 0, to: passages.count, by: Self.passagesTogether) {
      let group = passages[start..<min(start + Self.passagesTogether, passages.count)]
      var caches = group.map { _ in stack.emptyCache() }
      values +=
        stack.forward(model.embedding.gather(group.flatMap { $0 }), PackedBatch(lengths: group.map(\.count)), caches: &caches).values
    }
    return Matrix(rows: passages.reduce(0) { $0 + $1.count }, columns: model.configuration.hiddenSize, values: values)
  }

  /// States [N, C] that enter the block after `blocks`, of states that enter the first of them, packed as `batch` says.
  func passed(_ states: Matrix, _ batch: PackedBatch, through blocks: Range<Int>) -> Matrix {
    guard !blocks.isEmpty else { return states }
    let between = model.stack[blocks]
    var values: [Float] = []
    values.reserveCapacity(states.values.count)
    for start in stride(from: 0, to: batch.sequences, by: Self.passagesTogether) {
      let group = start..<min(start + Self.passagesTogether, batch.sequences)
      var caches = group.map { _ in between.emptyCache() }
      values +=
        between.forward(
          states.slice(batch.offsets[group.lowerBound]..<batch.offsets[group.upperBound]),
          PackedBatch(lengths: group.map { batch.range($0).count }), caches: &caches
        ).values
    }
    return Matrix(rows: states.rows, columns: states.columns, values: values)
  }

  private static let passagesTogether = 16
}
