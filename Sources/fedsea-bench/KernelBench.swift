import Kernels

/// The products behind everything, at the shapes of the 135M model.
enum KernelBench {
  static func run(_ meter: Meter, _ compute: Compute) {
    let random = CounterRandom(seed: 1, stream: "bench")
    for library in Compute.Library.allCases {
      let engine = Compute(library: library, threads: compute.threads)
      for (m, n, k) in [
        (1, 1536, 576), (4, 1536, 576), (12, 1536, 576), (24, 1536, 576), (128, 1536, 576), (512, 1536, 576), (512, 576, 1536),
        (2048, 1536, 576),
      ] {
        let x = Matrix(rows: m, columns: k, values: random.normals(item: 0, count: m * k).map(Float.init))
        let w = random.normals(item: 1, count: n * k).map(Float.init)
        let repeats = max(1, 2_000_000_000 / (2 * m * n * k))
        meter.rate("f32 product \(m)x\(n)x\(k)", Double(repeats * 2 * m * n * k) / 1e9, "GFLOP/s", peer: "fedsea-audit \(library)") {
          for _ in 0..<repeats { _ = engine.linear(x, w, outputs: n) }
        }
      }
    }
  }
}
