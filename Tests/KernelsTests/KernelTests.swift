import CKernels
import Foundation
import Kernels
import Testing

@Suite(.serialized) struct KernelTests {
  static let engines = Compute.Library.allCases.flatMap { [Compute(library: $0, threads: 1), Compute(library: $0, threads: 2)] }

  @Test(arguments: engines, [(1, 5, 7), (2, 33, 64), (3, 1, 1), (17, 96, 31), (130, 64, 100)])
  func linear(compute: Compute, size: (Int, Int, Int)) {
    let (m, n, k) = size
    let x = Matrix(rows: m, columns: k, values: normal(m * k, 1))
    let w = normal(n * k, 2)
    #expect(difference(compute.linear(x, w, outputs: n).values, Naive.linear(x, w, outputs: n)) < 1e-4)
  }

  @Test func emptyBatches() {
    let compute = Compute(threads: 2)
    #expect(compute.linear(Matrix(rows: 0, columns: 4), [Float](repeating: 1, count: 8), outputs: 2).rows == 0)
    #expect(compute.rmsNorm(Matrix(rows: 0, columns: 4), weight: [1, 1, 1, 1], epsilon: 1e-5).rows == 0)
    #expect(compute.logSumExp(Matrix(rows: 0, columns: 3)).isEmpty)
  }

  @Test(arguments: [1, 16, 33, 576]) func rmsNorm(columns: Int) {
    let x = Matrix(rows: 19, columns: columns, values: normal(19 * columns, 3, scale: 5))
    let weight = normal(columns, 4)
    #expect(
      difference(Compute(threads: 2).rmsNorm(x, weight: weight, epsilon: 1e-5).values, Naive.rmsNorm(x, weight: weight, epsilon: 1e-5))
        < 1e-5)
  }

  @Test func swiglu() {
    var values = normal(1000, 5, scale: 8)
    values += [0, -0, 100, -100, 88, -88, 1e-30]
    var gate = Matrix(rows: 1, columns: values.count, values: values)
    let up = Matrix(rows: 1, columns: values.count, values: normal(values.count, 6))
    let exact = Naive.swiglu(gate, up)
    Compute(threads: 2).swiglu(&gate, up: up)
    for (found, expected) in zip(gate.values, exact) { #expect(abs(Double(found) - expected) <= 2e-6 * max(1, abs(expected))) }
  }

  /// Forward against the naive twin; backward against central differences of it.
  @Test func gated() {
    let (rows, width) = (11, 37)
    let x = Matrix(rows: rows, columns: 2 * width, values: normal(rows * 2 * width, 15, scale: 3))
    func twin(_ x: Matrix) -> [Double] {
      (0..<rows).flatMap { r in
        let row = Array(x[row: r])
        return Naive.swiglu(
          Matrix(rows: 1, columns: width, values: Array(row[..<width])), Matrix(rows: 1, columns: width, values: Array(row[width...])))
      }
    }
    let compute = Compute(threads: 2)
    for (found, expected) in zip(compute.gated(x).values, twin(x)) {
      #expect(abs(Double(found) - expected) <= 2e-6 * max(1, abs(expected)))
    }
    let dy = Matrix(rows: rows, columns: width, values: normal(rows * width, 16))
    let dx = compute.gatedBackward(x, dy: dy)
    #expect(dx.rows == rows && dx.columns == 2 * width)
    func along(_ x: Matrix) -> Double { zip(twin(x), dy.values).reduce(0) { $0 + $1.0 * Double($1.1) } }
    for i in stride(from: 0, to: x.values.count, by: 5) {
      var (above, below) = (x, x)
      above.values[i] += 0x1p-8
      below.values[i] -= 0x1p-8
      let slope = (along(above) - along(below)) / (Double(above.values[i]) - Double(below.values[i]))
      #expect(abs(slope - Double(dx.values[i])) < 1e-3, "\(i)")
    }
  }

  @Test func sumsOfHeads() {
    let (rows, heads, d) = (131, 3, 10)
    let x = normal(rows * heads * d, 21)
    let sums = [Float].filled(rows * d) { fs_sum_heads(Int32(rows), Int32(heads), Int32(d), x, $0, 2) }
    for r in 0..<rows {
      for i in 0..<d { #expect(sums[r * d + i] == (1..<heads).reduce(x[r * heads * d + i]) { $0 + x[(r * heads + $1) * d + i] }) }
    }
  }

  /// Some columns of A into some columns of C, and nothing else of it.
  @Test(arguments: engines) func productOfColumns(compute: Compute) {
    let a = Matrix(rows: 9, columns: 12, values: normal(108, 17))
    let b = Matrix(rows: 5, columns: 4, values: normal(20, 18))
    let before = Matrix(rows: 9, columns: 8, values: normal(72, 19))
    var c = before
    compute.product(a, columns: 3..<7, b, transposeB: true, alpha: 2, beta: 1, into: &c, outputColumns: 2..<7)
    for r in 0..<9 {
      for j in 0..<8 {
        let sum = 2..<7 ~= j ? (0..<4).reduce(0.0) { $0 + 2 * Double(a[r, 3 + $1]) * Double(b[j - 2, $1]) } : 0
        #expect(abs(Double(c[r, j]) - Double(before[r, j]) - sum) < 1e-5)
      }
    }
    let transposed = compute.product(a, columns: 3..<7, Matrix(rows: 9, columns: 2, values: normal(18, 20)), transposeA: true)
    #expect(transposed.rows == 4 && transposed.columns == 2)
  }

  @Test(arguments: engines, [(1, 0), (5, 0), (70, 0), (40, 13), (1, 300)]) func attention(compute: Compute, size: (Int, Int)) {
    let (t, past) = size
    let shape = AttentionShape(heads: 6, groups: 2, dimension: 24)
    let q = Matrix(rows: t, columns: shape.queryWidth, values: normal(t * shape.queryWidth, 7))
    let keys = normal((past + t) * shape.keyWidth, 8)
    let values = normal((past + t) * shape.keyWidth, 9)
    var out = Matrix(rows: t, columns: shape.queryWidth)
    var maps: [Float] = []
    compute.attend(q, rows: 0..<t, keys: keys, values: values, past: past, shape: shape, into: &out, maps: &maps)
    #expect(difference(out.values, Naive.attention(q, keys: keys, values: values, past: past, shape: shape)) < 1e-5)
    for row in 0..<shape.heads * t {
      let sum = maps[row * (past + t)..<(row + 1) * (past + t)].reduce(0, +)
      #expect(abs(sum - 1) < 1e-5)
    }
  }

  /// Rows over prefixes of different lengths, empty ones among them, head dimensions that are and are not multiples of 64.
  @Test(arguments: [24, 64, 128]) func attentionOfRows(dimension: Int) {
    let shape = AttentionShape(heads: 4, groups: 2, dimension: dimension)
    let lengths = [0, 1, 37, 1100]
    let prefixes = lengths.enumerated().map {
      KeyValuePrefix(keys: normal($1 * shape.keyWidth, UInt64(20 + $0)), values: normal($1 * shape.keyWidth, UInt64(30 + $0)), length: $1)
    }
    let prefixOf = [2, 0, 1, 3, 2]
    let q = Matrix(rows: 5, columns: shape.queryWidth, values: normal(5 * shape.queryWidth, 10))
    let k = Matrix(rows: 5, columns: shape.keyWidth, values: normal(5 * shape.keyWidth, 11))
    let v = Matrix(rows: 5, columns: shape.keyWidth, values: normal(5 * shape.keyWidth, 12))
    let found = Compute(threads: 2).attendRows(q, ownKeys: k, ownValues: v, prefixOf: prefixOf, prefixes: prefixes, shape: shape)
    for r in 0..<5 {
      let prefix = prefixes[prefixOf[r]]
      let exact = Naive.attention(
        q.slice(r..<r + 1), keys: prefix.keys + k[row: r], values: prefix.values + v[row: r], past: prefix.length, shape: shape)
      #expect(difference(Array(found[row: r]), exact) < 1e-5, "row \(r)")
    }
  }

  @Test func rotationIsAnIsometryAndRelative() {
    let frequencies: [Float] = [1, 0.1, 0.01, 0.001]
    var x = Matrix(rows: 3, columns: 16, values: normal(48, 13))
    let before = x
    Compute(threads: 2).rotate(&x, heads: 2, by: RotaryTable(positions: [0, 5, 900], frequencies: frequencies))
    #expect(x[row: 0] == before[row: 0])
    for r in 0..<3 { #expect(abs(x[row: r].reduce(0) { $0 + $1 * $1 } - before[row: r].reduce(0) { $0 + $1 * $1 }) < 1e-4) }
    let (a, b) = (Double(before[1, 0]), Double(before[1, 4]))
    #expect(abs(Double(x[1, 0]) - (a * cos(5) - b * sin(5))) < 1e-5)
    #expect(abs(Double(x[1, 4]) - (b * cos(5) + a * sin(5))) < 1e-5)
  }

  @Test func reductions() {
    let x = Matrix(rows: 5, columns: 49, values: normal(245, 14, scale: 30))
    let y = Matrix(rows: 2, columns: 49, values: normal(98, 15))
    let found = Compute(threads: 2).squaredDistances(x, to: y, target: [1, 0, 1, 1, 0])
    for (r, target) in [1, 0, 1, 1, 0].enumerated() {
      let exact = zip(x[row: r], y[row: target]).reduce(0.0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) }
      #expect(abs(Double(found[r]) - exact) < 1e-5 * exact)
    }
    for (r, value) in Compute(threads: 2).logSumExp(x).enumerated() {
      let top = Double(x[row: r].max()!)
      let exact = top + log(x[row: r].reduce(0.0) { $0 + exp(Double($1) - top) })
      #expect(abs(Double(value) - exact) < 1e-5 * max(1, abs(exact)))
    }
    var clipped = x
    Compute(threads: 2).clipRows(&clipped, bound: 3)
    for r in 0..<5 { #expect(abs(clipped[row: r].reduce(0) { $0 + $1 * $1 }.squareRoot() - 3) < 1e-4) }
  }

  /// Products over stored blocks: against the exact product with the widened weights, within what int8 activations allow.
  @Test(arguments: [1, 2, 3, 4, 9]) func quantizedProducts(rows: Int) {
    let (n, k) = (70, 96)
    var generator = CounterRandom(seed: 3, stream: "blocks").generator()
    func blocks(_ bytes: Int) -> [UInt8] {
      (0..<n * k / 32).flatMap { _ -> [UInt8] in
        var block = (0..<bytes).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let scale = Float16(Float.random(in: 0.001...0.01, using: &generator)).bitPattern
        (block[0], block[1]) = (UInt8(truncatingIfNeeded: scale), UInt8(scale >> 8))
        let offset = Float16(Float.random(in: -0.05...0.05, using: &generator)).bitPattern
        if bytes == 20 { (block[2], block[3]) = (UInt8(truncatingIfNeeded: offset), UInt8(offset >> 8)) }
        return block
      }
    }
    let x = Matrix(rows: rows, columns: k, values: normal(rows * k, 16))
    for (format, bytes) in [(QuantizedFormat.q4_1, 20), (.q8_0, 34)] {
      let stored = blocks(bytes)
      let wide = [Float].filled(n * k) { format == .q4_1 ? fs_widen_q4_1(n * k / 32, stored, $0) : fs_widen_q8_0(n * k / 32, stored, $0) }
      let exact = Naive.linear(x, wide, outputs: n)
      let found = stored.withUnsafeBufferPointer { Compute(threads: 2).linear(x, quantized: format, $0.baseAddress!, outputs: n) }
      let scale = (exact.reduce(0) { $0 + $1 * $1 } / Double(exact.count)).squareRoot()
      #expect(difference(found.values, exact) < (rows <= 4 ? 0.02 : 1e-5) * scale, "\(format)")
    }
  }

  @Test func bfloat16() {
    let values: [Float] = [
      0, Float(bitPattern: 0x8000_0000), 1, 1.00390625, 1.001953125, 3.1415927, -65504, .infinity, -.infinity,
      Float(bitPattern: 0x0001_16C2), 3.4e38,
    ]
    let narrow = BF16.narrowed(values, Compute())
    #expect(narrow == [0, 0x8000, 0x3F80, 0x3F80, 0x3F80, 0x4049, 0xC780, 0x7F80, 0xFF80, 0x0001, 0x7F80])
    #expect(BF16.narrowed([.nan], Compute())[0] & 0x7FFF > 0x7F80)
    let x = Matrix(rows: 9, columns: 64, values: normal(576, 17))
    let w = BF16.narrowed(normal(40 * 64, 18), Compute())
    let exact = Naive.linear(x, BF16.widened(w), outputs: 40)
    for rows in [1, 4, 9] {
      let found = w.withUnsafeBufferPointer { Compute(threads: 2).linear(x.slice(0..<rows), bf16: $0.baseAddress!, outputs: 40) }
      #expect(difference(found.values, Array(exact.prefix(rows * 40))) < (Compute.hasBF16Products && rows > 4 ? 0.1 : 1e-4))
    }
  }

  /// The draws are known: they must not change between versions, or records stop being reproducible; moments and independence are sane.
  @Test func counterRandom() {
    let random = CounterRandom(seed: 1, stream: "a")
    let values = random.normals(item: 3, count: 20_001)
    #expect(values.prefix(7) == random.normals(item: 3, count: 7)[...])
    let mean = values.reduce(0, +) / Double(values.count)
    let variance = values.reduce(0) { $0 + $1 * $1 } / Double(values.count)
    #expect(abs(mean) < 0.03 && abs(variance - 1) < 0.04)
    #expect(random.words(item: 0, index: 0) != CounterRandom(seed: 1, stream: "b").words(item: 0, index: 0))
    #expect(random.words(item: 0, index: 0) != CounterRandom(seed: 2, stream: "a").words(item: 0, index: 0))
    let neighbours =
      zip(random.normals(item: 4, count: 20_000), random.normals(item: 5, count: 20_000)).reduce(0.0) { $0 + $1.0 * $1.1 } / 20_000
    #expect(abs(neighbours) < 0.03)
  }

  /// Packed weights multiply as plain ones do, by W and by its transpose, whatever the number of rows; where the CPU has no packed layout,
  /// there is no packed matrix.
  @Test(arguments: [1, 2, 7, 16, 33, 130]) func packedProductsEqualPlainOnes(rows: Int) throws {
    let compute = Compute(threads: 2)
    let (n, k) = (96, 600)  // longer than one run of sums
    let (w, x) = (normal(n * k, 20), Matrix(rows: rows, columns: k, values: normal(rows * k, 21)))
    guard let packed = PackedMatrix(w, rows: n, columns: k, compute: compute) else {
      #expect(!Compute.instructionSet.hasPrefix("avx512"))
      return
    }
    let exact = (0..<rows * n).map { i in
      (0..<k).reduce(0.0) { $0 + Double(x.values[i / n * k + $1]) * Double(w[i % n * k + $1]) }
    }
    #expect(difference(compute.linear(x, packed).values, exact) < 1e-4)

    let packedBack = PackedMatrix(w, rows: n, columns: k, transposed: false, compute: compute)
    let back = try #require(packedBack)
    let y = Matrix(rows: rows, columns: n, values: normal(rows * n, 22))
    let product = (0..<rows * k).map { i in
      (0..<n).reduce(0.0) { $0 + Double(y.values[i / k * n + $1]) * Double(w[$1 * k + i % k]) }
    }
    #expect(difference(compute.linear(y, back).values, product) < 1e-4)

    guard Compute.hasBF16Products else { return }
    let narrow = BF16.narrowed(w, compute)
    let packedNarrow = PackedMatrix(bf16: narrow, rows: n, columns: k, compute: compute)
    // AVX-512 without bf16 instructions multiplies bf16 too, but has no packed layout for it.
    guard let half = packedNarrow else {
      #expect(Compute.instructionSet == "avx512_core")
      return
    }
    #expect(difference(compute.linear(x, half).values, exact) < 0.5)
    let (wide, wideX) = (BF16.widened(narrow), BF16.widened(BF16.narrowed(x.values, compute)))
    let rounded = (0..<rows * n).map { i in (0..<k).reduce(0.0) { $0 + Double(wideX[i / n * k + $1]) * Double(wide[i % n * k + $1]) } }
    #expect(difference(compute.linear(x, half).values, rounded) < 1e-3)
  }
}
