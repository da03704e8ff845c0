import Audit
import Checkpoints
import Diagnostics
import Kernels
import Llama
import SplitLearning

/// Everything that one decoder learns from.
package struct DecoderCurriculum: Sendable {
  /// Where the labelled passages come from.
  package enum Source: String, Sendable {
    /// A colluding client.
    case collusion
    /// Public text through the attacker's own copy of the client's blocks (K1).
    case rehearsal
  }

  var source: Source
  var real: DecoderPairs
  /// Passages with half of their tokens replaced, so that every token of the vocabulary is seen; nil without.
  var synthetic: DecoderPairs?
  var law: NoiseLaw
}

extension DecoderCurriculum {
  /// The fewest labelled passages that allow training and holding some out.
  static let fewestPassages = 4

  /// A colluding client's pairs where the threat model grants them, else rehearsals on public text.
  /// - Parameters:
  ///   - view: the observation that will be attacked: only its cut and its noise statement are used.
  ///   - law: the noise to train for.
  ///   - synthetic: passages with substituted tokens to add, run through the attacker's own copy of the client's blocks.
  /// - Throws: when there are fewer than `fewestPassages` passages.
  init(like view: AdversaryView, _ observation: Observation, _ law: NoiseLaw, means: AttackerMeans, synthetic count: Int) throws {
    let texts: [[Int32]]
    if let collusion = means.collusion {
      guard collusion.states.columns == observation.values.columns else {
        throw Fault(
          .invalidData, "the colluding client's states have \(collusion.states.columns) channels, the view \(observation.values.columns)")
      }
      (source, real) = (.collusion, DecoderPairs(collusion, isClean: false))
      texts = (means.auxiliary + collusion.passages).filter { !$0.isEmpty }
    } else {
      let rehearsal = means.rehearsal(like: view, passages: means.auxiliary.indices, stream: "attention-decoder")
      (source, real) = (.rehearsal, DecoderPairs(LabelledStates(passages: rehearsal.truth, states: rehearsal.clean), isClean: true))
      texts = rehearsal.truth
    }
    guard real.passages.count >= Self.fewestPassages else {
      throw Fault(
        .invalidData, "attention-decoder: \(real.passages.count) labelled passages, at least \(Self.fewestPassages) are needed",
        hint: "name public text under threat_model.auxiliary, or grant K3")
    }
    (self.law, self.synthetic) = (law, nil)
    guard count > 0 else { return }
    let passages = Self.substituted(
      texts, count: count, vocabulary: means.model.configuration.vocabularySize, excluded: means.excluded, seed: means.trainingSeed)
    self.synthetic = DecoderPairs(
      LabelledStates(passages: passages, states: means.states(of: passages, inputBlocks: view.partition.input)), isClean: true)
  }

  /// `count` passages made from `texts` in turn, every other token (on average) replaced by the next one of a shuffled vocabulary, so that rare
  /// tokens are as often seen as common ones. Randomness: `seed`.
  static func substituted(_ texts: [[Int32]], count: Int, vocabulary: Int, excluded: Set<Int32>, seed: UInt64) -> [[Int32]] {
    var generator = CounterRandom(seed: seed, stream: "attention-decoder/substitution").generator()
    var pool: [Int32] = []
    return (0..<count).map { i in
      texts[i % texts.count].map { token in
        guard Bool.random(using: &generator) else { return token }
        if pool.isEmpty { pool = (0..<Int32(vocabulary)).filter { !excluded.contains($0) }.shuffled(using: &generator) }
        return pool.popLast() ?? token
      }
    }
  }
}
