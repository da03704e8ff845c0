import Checkpoints
import Diagnostics
import Kernels
import Llama
import SplitLearning

/// One step of LoRA fine-tuning (r 8 on q, k, v, o; 4 × 128 tokens; AdamW), split in process at p = q = 1 and unsplit, and how much of what the
/// processor can multiply at best it comes to.
enum TrainingBench {
  static func run(_ meter: Meter, _ compute: Compute, _ path: String) throws {
    let checkpoint = try Checkpoint.open(at: path)
    for precision in [Precision.f32, .bf16] {
      let (name, peer) = ("LoRA step 4x128 r8 qkvo", "fedsea-audit \(precision.rawValue)")
      guard meter.isWanted(name, peer) || meter.isWanted(name + ", split", peer) else { continue }
      let model = try LlamaModel(checkpoint, precision: precision, compute: compute)
      peaks(meter, compute, precision, model.configuration)
      let batch = texts(model, count: 4, length: 128)
      let settings = AdapterSettings()
      let flops = StepCount(model.configuration, settings, lengths: batch.map(\.tokens.count)).operations
      for (measure, p, q) in [(name + ", split", 1, 1), (name, model.configuration.blocks, 0)] {
        let points = PartitionPoints(input: p, output: q)
        let blueprint = TrainingBlueprint(model: model, adapters: settings, clip: 1, seed: 1)
        let client = try blueprint.client(points, of: blueprint.server([points]))
        let seconds = try meter.rate(measure, 512, "tokens/s", peer: peer) {
          _ = try client.accumulate(batch)
          try client.update(rate: 1e-4)
        }
        meter.report(measure + ", achieved", "GFLOP/s", peer, seconds.map { flops / 1e9 / $0 })
      }
    }
  }

  /// Random ordinary ids, every one of them a label; a function of the counts only.
  static func texts(_ model: LlamaModel, count: Int, length: Int) -> [TrainingSequence] {
    let random = CounterRandom(seed: 0, stream: "bench/training")
    return (0..<count).map { s in
      let tokens = (0..<length).map {
        Int32(17 + random.words(item: UInt64(s * length + $0), index: 0).0 % UInt32(model.embedding.rows - 17))
      }
      return TrainingSequence(tokens: tokens, labels: tokens)
    }
  }

  /// The products of the step's largest shapes alone: plain sgemm, and weights packed once, in f32 or bf16 as the step has them.
  private static func peaks(_ meter: Meter, _ compute: Compute, _ precision: Precision, _ c: LlamaConfiguration) {
    let random = CounterRandom(seed: 1, stream: "bench")
    for (n, k) in [(2 * c.feedForwardSize, c.hiddenSize), (c.hiddenSize, 2 * c.feedForwardSize)] {
      let x = Matrix(rows: 512, columns: k, values: random.normals(item: 0, count: 512 * k).map(Float.init))
      let w = random.normals(item: 1, count: n * k).map(Float.init)
      let repeats = 10
      let work = Double(repeats * 2 * 512 * n * k) / 1e9
      let (shape, peer) = ("512x\(n)x\(k)", "fedsea-audit \(precision.rawValue)")
      if precision == .f32 {
        meter.rate("peak: sgemm \(shape)", work, "GFLOP/s", peer: peer) {
          for _ in 0..<repeats { _ = compute.linear(x, w, outputs: n) }
        }
      }
      let packed =
        precision == .f32
        ? PackedMatrix(w, rows: n, columns: k, compute: compute)
        : PackedMatrix(bf16: BF16.narrowed(w, compute), rows: n, columns: k, compute: compute)
      guard let packed else { continue }  // a CPU without packed layouts: the step has none either
      meter.rate("peak: packed \(precision.rawValue) \(shape)", work, "GFLOP/s", peer: peer) {
        for _ in 0..<repeats { _ = compute.linear(x, packed) }
      }
    }
  }
}
