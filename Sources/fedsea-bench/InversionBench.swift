import Attacks
import Audit
import Checkpoints
import Diagnostics
import Kernels
import Llama

/// Steps of embedding inversion behind one block: 10 documents of 64 tokens, the ids and candidate lists of `peers/embedding_optimisation.py`.
enum InversionBench {
  private static let (documents, length, listed, steps) = (10, 64, 256, 20)

  static func run(_ meter: Meter, _ model: LlamaModel) throws {
    let rows = documents * length
    let ordinary = model.configuration.vocabularySize - 17
    let ids = (0..<rows).map { Int32(17 + $0 * 7919 % ordinary) }
    let batch = PackedBatch(lengths: [Int](repeating: length, count: documents))
    let stack = model.stack[0..<1]
    var caches = (0..<documents).map { _ in stack.emptyCache() }
    let states = stack.forward(model.embedding.gather(ids), batch, caches: &caches)
    let means = AttackerMeans(model: model, auxiliary: [], excluded: [], seed: 1, memory: AttackerMemory())
    let neighbours = EmbeddingNeighbours.of(means)
    let loss = CutLoss(states, .none, sigma: 0, variance: variances(states))
    func loop(_ rate: Float) -> InversionLoop { InversionLoop(stack, loss, batch, iterations: steps, rate: rate) }

    let lists = (0..<rows).flatMap { r in (0..<listed).map { Int32(17 + (r * 7919 + $0 * 104729) % ordinary) } }
    let table = model.embedding.values(model.compute)
    let relaxed = loop(0.3)
    try measure(meter, "relaxed vocabulary p=1, \(listed) candidates", relaxed) {
      SoftTokens(
        values: [Float](repeating: 0, count: lists.count), candidates: lists, count: listed, temperatures: (0.5, 0.05), table: table,
        width: model.configuration.hiddenSize)
    }
    let frame = EmbeddingFrame(neighbours, whitened: false, model.compute)
    try measure(meter, "free embedding p=1", loop(0.1)) {
      FreeEmbeddings(rows: rows, frame: frame, neighbours: neighbours, ridge: 0, penalty: 0.1, box: true)
    }
  }

  /// Times the loop in f32, and with its first nine tenths in bf16, and checks that it descends: at softening 1 the loss must have fallen by a tenth.
  private static func measure<P: EmbeddingParametrisation>(_ meter: Meter, _ name: String, _ loop: InversionLoop, start: () -> P) throws {
    for precision in [Precision.f32, .bf16] where precision == .f32 || Compute.hasBF16Products {
      let peer = "fedsea-audit \(precision.rawValue)"
      guard meter.isWanted(name, peer) else { continue }
      var loop = loop
      if precision == .bf16 { loop.coarse = InversionLoop.frozen(loop.blocks.stack.narrowed()) }
      var found = start()
      let first = loop.evaluate(&found, softening: 1).nats
      try meter.rate(name, Double(loop.batch.rows * loop.iterations), "positions/s", peer: peer) {
        found = start()
        _ = try loop.run(&found) { _ in }
      }
      let last = loop.evaluate(&found, softening: 1).nats
      guard last < 0.9 * first else { throw Fault(.internalError, "\(name) does not descend: \(first) to \(last) nats at softening 1") }
    }
  }

  /// Of every channel over all rows but first ones, [C].
  private static func variances(_ states: Matrix) -> [Float] {
    let rows = (0..<states.rows).filter { $0 % length != 0 }
    return (0..<states.columns).map { c in
      let mean = rows.reduce(0.0) { $0 + Double(states[$1, c]) } / Double(rows.count)
      return max(
        1e-8, Float(rows.reduce(0.0) { $0 + (Double(states[$1, c]) - mean) * (Double(states[$1, c]) - mean) } / Double(rows.count)))
    }
  }
}
