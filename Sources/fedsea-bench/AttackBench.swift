import Attacks
import Audit
import Checkpoints
import Diagnostics
import Foundation
import Kernels
import Llama
import SplitLearning
import Tokenizers

/// Sequential vocabulary matching: exhaustive at one position behind one block, and LM-ordered over whole documents of clean states.
enum AttackBench {
  /// Ordinary English of our own wording, so that the language model orders candidates as it does on real text.
  private static let texts = [
    "The committee met twice last spring and agreed that the old bridge would be repaired before the winter, although nobody knew how to pay for it.",
    "My sister keeps her letters in a wooden box under the bed, and every year on her birthday she reads the first one again.",
    "Patients who had been treated with the new drug reported fewer headaches than those who had received the placebo, but the difference was small.",
    "When the train finally arrived, the platform was empty except for a man with a red umbrella and a dog that would not stop barking.",
    "The recipe calls for two cups of flour, a pinch of salt and as much cold water as the dough will take without becoming sticky.",
    "Nobody at the meeting could say who had ordered the machines, and the invoice carried a signature that none of them had seen before.",
    "After the storm the fishermen found their boats on the far side of the harbour, tied together as if someone had looked after them.",
    "The second experiment was repeated with a larger sample, and its results did not support the claim that had made the first one famous.",
    "She learned to read from the labels on the bottles in her father's pharmacy, long before she was sent to the village school.",
    "The price of the house fell for three years, then rose so quickly that the owners decided not to sell it after all.",
    "Our guide explained that the valley had been a lake, and that the white line on the rocks showed how high the water once stood.",
    "He wrote to the bank twice about the missing payment, kept copies of both letters, and received an answer to neither of them.",
  ]

  static func run(_ meter: Meter, _ compute: Compute, _ path: String) throws {
    let checkpoint = try Checkpoint.open(at: path)
    let tokenizer = try TokenizerLoader.load(from: checkpoint)
    let model = try LlamaModel(checkpoint, compute: compute)
    try exhaustive(meter, model)
    try InversionBench.run(meter, model)
    let documents = texts.map { tokenizer.encode($0) }
    for p in [1, 3] {
      let positions = documents.reduce(0) { $0 + $1.count }
      let view = view(model, documents, p)
      let means = AttackerMeans(model: model, auxiliary: [], excluded: tokenizer.specialTokens, seed: 1, memory: AttackerMemory())
      var found = Reconstruction(tokens: [])
      try meter.rate("vocabulary matching p=\(p), LM-ordered, clean", Double(positions), "positions/s") {
        found = try AttackCatalog.make("sequential-matching", settings: ["candidates": .string("language-model")]).reconstruct(
          view, with: means
        ) { _ in }
      }
      guard found.tokens == documents || found.tokens.isEmpty else {
        throw Fault(.internalError, "matching did not recover the clean documents at p = \(p)")
      }
    }
  }

  private static func exhaustive(_ meter: Meter, _ model: LlamaModel) throws {
    let random = CounterRandom(seed: 0, stream: "bench/secret")
    let document = (0..<33).map { Int32(17 + random.words(item: UInt64($0), index: 0).0 % UInt32(model.configuration.vocabularySize - 17)) }
    let stack = model.stack[0..<1]
    var caches = [stack.emptyCache()]
    let states = stack.forward(model.embedding.gather(document), PackedBatch(lengths: [33]), caches: &caches)
    caches = [stack.emptyCache()]
    _ = stack.forward(model.embedding.gather(Array(document.prefix(32))), PackedBatch(lengths: [32]), caches: &caches)
    let target = states.slice(32..<33)
    let secret = document[32]
    let means = AttackerMeans(model: model, auxiliary: [], excluded: [], seed: 1, memory: AttackerMemory())
    let vocabulary = VocabularyDistances(means, inputBlocks: 1)
    let prior = [Float](repeating: 0, count: model.configuration.vocabularySize)
    var best = secret
    meter.seconds("vocabulary matching p=1, \(prior.count) candidates") {
      best = vocabulary.contenders(after: caches[0], to: target, sigma: 1e-3, prior: prior).max { $0.score < $1.score }?.token ?? -1
    }
    guard best == secret else { throw Fault(.internalError, "matching found \(best), the token was \(secret)") }
    meter.seconds("vocabulary matching p=1, \(prior.count) candidates, all in f32") {
      best = argmax(vocabulary.squaredDistances(after: caches[0], to: target).map { -$0 }[...])
    }
    guard best == secret else { throw Fault(.internalError, "matching in full found \(best), the token was \(secret)") }
  }

  private static func view(_ model: LlamaModel, _ documents: [[Int32]], _ p: Int) -> AdversaryView {
    let batch = PackedBatch(lengths: documents.map(\.count))
    let stack = model.stack[0..<p]
    var caches = documents.map { _ in stack.emptyCache() }
    let states = stack.forward(model.embedding.gather(documents.flatMap { $0 }), batch, caches: &caches)
    let identity = ViewIdentity(runID: "", planSHA256: "", checkpointSHA256: "", tokenizerSHA256: "", created: "", fedseaVersion: "")
    return AdversaryView(
      identity: identity, partition: PartitionPoints(input: p, output: 0), offsets: batch.offsets,
      observations: [.inputHiddenStates: Observation(values: states)])
  }
}
