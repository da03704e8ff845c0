import Checkpoints
import Diagnostics
import Kernels
import Llama
import SplitLearning

/// One step of LoRA fine-tuning (r 8 on q, k, v, o; 4 × 128 tokens; AdamW), split in process at p = q = 1 and unsplit.
enum TrainingBench {
  static func run(_ meter: Meter, _ compute: Compute, _ path: String) throws {
    let checkpoint = try Checkpoint.open(at: path)
    for precision in [Precision.f32, .bf16] {
      let name = "LoRA step 4x128 r8 qkvo"
      guard
        meter.isWanted(name, "fedsea-audit \(precision.rawValue)") || meter.isWanted(name + ", split", "fedsea-audit \(precision.rawValue)")
      else { continue }
      let model = try LlamaModel(checkpoint, precision: precision, compute: compute)
      let random = CounterRandom(seed: 0, stream: "bench/training")
      let batch = (0..<4).map { s in
        let tokens = (0..<128).map { Int32(17 + random.words(item: UInt64(s * 128 + $0), index: 0).0 % UInt32(model.embedding.rows - 17)) }
        return TrainingSequence(tokens: tokens, labels: tokens)
      }
      for (measure, p, q) in [(name + ", split", 1, 1), (name, model.configuration.blocks, 0)] {
        let points = PartitionPoints(input: p, output: q)
        let blueprint = TrainingBlueprint(model: model, adapters: AdapterSettings(), clip: 1, seed: 1)
        let client = try blueprint.client(points, of: blueprint.server([points]))
        try meter.rate(measure, 512, "tokens/s", peer: "fedsea-audit \(precision.rawValue)") {
          _ = try client.accumulate(batch)
          try client.update(rate: 1e-4)
        }
      }
    }
  }
}
