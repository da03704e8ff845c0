import Audit
import Kernels
import Llama
import SplitLearning

/// The text that an inference attack works on: the server is not given any, so it reads the documents first, with the reference attack.
enum Reading {
  /// Most candidates a position; the text has to be good enough for a likelihood, not perfect.
  private static let candidates = 512.0

  /// The reconstruction of every document, kept for the other attacks on the same view.
  static func texts(_ view: AdversaryView, _ attack: String, _ means: AttackerMeans, progress: (Double) throws -> Void) throws -> [[Int32]]
  {
    let observation = try view.required(.inputHiddenStates, by: attack)
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for value in observation.values.values { hash = (hash ^ UInt64(value.bitPattern)) &* 0x100_0000_01B3 }
    return try means.memory.table("inference/reading/\(view.partition.input)/\(means.knowledge.rawValue)/\(hash)") {
      try SequentialMatching(["max_candidates": .number(candidates), "mismatch": .string("none")])
        .reconstruct(view, with: means, progress: progress).tokens
    }
  }
}
