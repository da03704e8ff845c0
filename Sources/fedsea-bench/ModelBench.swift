import Checkpoints
import Foundation
import Kernels
import Llama
import Tokenizers

/// Prefill, decode, load and greedy text in every precision, as the peers measure theirs.
enum ModelBench {
  static func run(_ meter: Meter, _ compute: Compute, _ path: String) throws {
    try loading(meter, compute, path)
    let checkpoint = try Checkpoint.open(at: path)
    let tokenizer = try TokenizerLoader.load(from: checkpoint)
    for precision in Precision.allCases {
      let model = try LlamaModel(checkpoint, precision: precision, compute: compute)
      let peer = "fedsea-audit \(precision.rawValue)"
      let random = CounterRandom(seed: 0, stream: "bench/tokens")
      let tokens = (0..<512).map {
        Int32(17 + random.words(item: UInt64($0), index: 0).0 % UInt32(model.configuration.vocabularySize - 17))
      }
      meter.rate("prefill 512, all logits", 512, "tokens/s", peer: peer) { _ = model.logits([tokens]) }
      meter.rate("prefill 512, last logits", 512, "tokens/s", peer: peer) {
        var cache = model.emptyCache()
        _ = model.next(tokens, cache: &cache)
      }
      var cache = model.emptyCache()
      meter.rate(
        "decode 64 after 32", 64, "tokens/s", peer: peer,
        prepare: {
          cache = model.emptyCache()
          _ = model.next(Array(tokens.prefix(32)), cache: &cache)
        },
        work: {
          var token = tokens[32]
          for _ in 0..<64 { token = argmax(model.next([token], cache: &cache)[row: 0]) }
        })
      guard meter.isWanted("greedy text", peer) else { continue }
      let ids = try model.generate(tokenizer.encode("The capital of France is"), count: 48)
      meter.text(tokenizer.decode(ids), ids: ids, peer: peer)
    }
  }

  /// From opening the file to the first greedy token, weights as stored.
  private static func loading(_ meter: Meter, _ compute: Compute, _ path: String) throws {
    try meter.seconds("load and first token", peer: "fedsea-audit stored") {
      let checkpoint = try Checkpoint.open(at: path)
      let tokenizer = try TokenizerLoader.load(from: checkpoint)
      let model = try LlamaModel(checkpoint, precision: .stored, compute: compute)
      _ = try model.generate(tokenizer.encode("The capital of France is"), count: 1)
    }
  }
}
