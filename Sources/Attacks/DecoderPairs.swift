import Audit
import Kernels
import Llama

/// Labelled states that a decoder is trained on.
struct DecoderPairs: Sendable {
  let labelled: LabelledStates
  /// Rows of passage i are offsets[i]..<offsets[i + 1].
  let offsets: [Int]
  /// Whether these are clean states that the attacker computed itself: every use draws the noise of the defense anew. A colluding client's
  /// states carry the one draw that they were sent with.
  let isClean: Bool

  /// Passages without tokens are left out.
  init(_ labelled: LabelledStates, isClean: Bool) {
    self.labelled = LabelledStates(passages: labelled.passages.filter { !$0.isEmpty }, states: labelled.states)
    self.isClean = isClean
    offsets = PackedBatch(lengths: self.labelled.passages.map(\.count)).offsets
  }

  var passages: [[Int32]] { labelled.passages }
  var rows: Int { offsets.last! }

  /// Passages `indices` as the adversary would observe them. Randomness: `draw`, where the states are clean.
  func observed(_ indices: [Int], law: NoiseLaw, draw: CounterRandom, _ compute: Compute) -> Observed {
    let parts = indices.map { passages[$0] }
    let batch = PackedBatch(lengths: parts.map(\.count))
    let rows = indices.flatMap { Array(offsets[$0]..<offsets[$0 + 1]) }
    var states = compute.gather(labelled.states, rows: rows[...])
    if isClean {
      states = law.statement.observed(
        states, sequences: indices.indices.flatMap { i in parts[i].map { _ in UInt64(indices[i]) } }, positions: batch.positions,
        sigma: law.sigma, random: draw, compute)
    }
    return Observed(states: states, tokens: parts.flatMap { $0 }, batch: batch)
  }

  /// Packed passages: what a step of training reads.
  struct Observed: Sendable {
    /// [N, C].
    var states: Matrix
    /// [N].
    var tokens: [Int32]
    var batch: PackedBatch

    /// One after the other.
    static func + (a: Observed, b: Observed) -> Observed {
      Observed(
        states: Matrix(rows: a.states.rows + b.states.rows, columns: a.states.columns, values: a.states.values + b.states.values),
        tokens: a.tokens + b.tokens, batch: PackedBatch(lengths: (a.lengths + b.lengths)))
    }

    private var lengths: [Int] { (0..<batch.sequences).map { batch.range($0).count } }
  }

  /// FNV-1a over tokens, lengths and the bits of the states: names a colluding client's pairs in caches.
  var fingerprint: UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    func mix(_ word: UInt32) { hash = (hash ^ UInt64(word)) &* 0x0000_0100_0000_01B3 }
    for passage in passages {
      mix(UInt32(passage.count))
      for token in passage { mix(UInt32(bitPattern: token)) }
    }
    for value in labelled.states.values { mix(value.bitPattern) }
    return hash
  }
}

/// The noise that a decoder is trained for: what the defense states, or a deviation in its place.
struct NoiseLaw: Sendable, Hashable {
  var statement: NoiseStatement
  /// Overrides the stated deviation.
  var sigma: Double?
}
