import Audit
import Crypto
import Foundation

/// The name of a stored inverter: SHA-256 of everything that its training depends on.
struct InverterKey: Sendable, Hashable {
  /// The text that is hashed, one fact a line.
  let facts: [String]
  /// Lowercase hex.
  let sha256: String

  private init(facts: [String]) {
    self.facts = facts
    sha256 = Self.hex(SHA256.hash(data: Data(facts.joined(separator: "\n").utf8)))
  }

  /// Of an attention decoder. `pairs` names the colluding client's labelled states, where training is not on public text.
  init(
    _ training: DecoderTraining, _ law: NoiseLaw, inputBlocks: Int, synthetic: Int, pairs: UInt64?, _ means: AttackerMeans
  ) {
    self.init(facts: [
      "decoder trainer version \(DecoderTraining.version)",
      "checkpoint \(means.inverters?.weights ?? "")", "tokenizer \(means.inverters?.tokenizerSHA256 ?? "")",
      "cut after \(inputBlocks) blocks", "noise \(Self.statement(law.statement, sigma: law.sigma ?? law.statement.sigma ?? 0))",
      "training \(training)", "passages with substituted tokens \(synthetic)",
      "labelled states \(pairs.map { "\($0)" } ?? "of public text")",
      "public text \(Self.textHash(means))", "seed \(means.trainingSeed)",
    ])
  }

  init(_ recipe: InverterRecipe, _ task: InverterTask, _ means: AttackerMeans) {
    self.init(facts: [
      "trainer version \(recipe.version)",
      "checkpoint \(means.inverters?.weights ?? "")", "tokenizer \(means.inverters?.tokenizerSHA256 ?? "")",
      "cut after \(task.inputBlocks) blocks"
        + (task.cache.map { ", read in the cache of block \($0.block): \($0.tensors.rawValue), \(InverterData.cacheBatches) batches" } ?? ""),
      "noise \(Self.statement(task.noise, sigma: task.sigma))", "pooling \(task.pooling.rawValue)",
      "labels \(task.isShuffled ? "shuffled" : "true")", "public text \(Self.textHash(means))",
      "architecture \(recipe.architecture.rawValue) width \(recipe.width)",
      "stages "
        + recipe.stages.map {
          "\($0.name):\($0.steps):\($0.factors):\($0.heldOut):\($0.mode):\($0.trains):\($0.target.rawValue):\($0.rate ?? 0)"
        }
        .joined(separator: ";"),
      "rates \(recipe.rates)", "rows \(recipe.rowsPerStep)", "budget \(recipe.budgetSeconds) s", "seed \(means.trainingSeed)",
    ])
  }

  private static func statement(_ noise: NoiseStatement, sigma: Double) -> String {
    "\(noise.defense) \(noise.law.rawValue) sigma \(noise.sigma.map { "\($0)" } ?? "withheld") s \(sigma) "
      + "clip \(noise.clip.map { noise.norm == nil ? "\($0)" : "\($0) \(noise.clippedNorm.rawValue)" } ?? "none") step \(noise.step.map { "\($0)" } ?? "none") "
      + "kept \(noise.kept.map { "\($0)" } ?? "all")"
  }

  /// Of the passages and the tokens that never occur in text.
  private static func textHash(_ means: AttackerMeans) -> String {
    means.memory.table("inverter/text hash") {
      var hash = SHA256()
      func add(_ tokens: [Int32]) { ([Int32(tokens.count)] + tokens).withUnsafeBytes { hash.update(bufferPointer: $0) } }
      for passage in means.auxiliary { add(passage) }
      add(means.excluded.sorted())
      return hex(hash.finalize())
    }
  }

  private static func hex(_ digest: SHA256.Digest) -> String {
    digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
