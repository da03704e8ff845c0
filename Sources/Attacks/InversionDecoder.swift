import Audit
package import Kernels
package import Llama

/// A transformer that reads tokens from the states at a cut: optionally an input map, then LLaMA blocks, a final norm, and the public head.
package struct InversionDecoder: Sendable {
  /// What a row is asked for.
  package enum Mode: String, Sendable, CaseIterable {
    /// Its own token; a position attends to its whole sequence.
    case aligned
    /// The next token, under a causal mask: the loss and the reading of FedSEA-LLaMA's released attack.
    case fedseaCompat = "fedsea-compat"
  }

  package let mode: Mode
  var inputMap: InputMap?
  var blocks: TrainableStack
  /// Weight of the final norm [C].
  var norm: [Float]
  /// Frozen matrix [V, C].
  private let head: OutputHead
  /// Logits are divided by it before they are read as ln p: fitted on held-out passages.
  package var temperature: Float = 1

  /// Whether products with the head are in bf16.
  private let isNarrow: Bool

  init(mode: Mode, inputMap: InputMap?, blocks: TrainableStack, norm: [Float], head: OutputHead, narrow: Bool) {
    (self.mode, self.inputMap, self.blocks, self.norm, isNarrow) = (mode, inputMap, blocks, norm, narrow)
    self.head = narrow ? head.narrowed() : head
    self.blocks.isCausal = mode == .fedseaCompat
  }

  var compute: Compute { blocks.stack.compute }
  var outputHead: OutputHead { head.with(norm: norm) }

  /// Rows that are asked for a token, and which: row t for token t, or row t for token t + 1 of the same passage.
  func questions(_ tokens: [Int32], _ batch: PackedBatch) -> (rows: [Int], targets: [Int32]) {
    switch mode {
    case .aligned: return (Array(0..<batch.rows), tokens)
    case .fedseaCompat:
      let rows = batch.predictingRows(tokens)
      return (rows, rows.map { tokens[$0 + 1] })
    }
  }

  /// What the head reads, for observed states [N, C] of whole passages: [N, C].
  package func outputs(_ states: Matrix, _ batch: PackedBatch) -> Matrix {
    var values: [Float] = []
    values.reserveCapacity(states.values.count)
    for start in stride(from: 0, to: batch.sequences, by: 16) {
      let group = start..<min(start + 16, batch.sequences)
      let rows = batch.offsets[group.lowerBound]..<batch.offsets[group.upperBound]
      var x = states.slice(rows)
      if let inputMap { x = inputMap.apply(inputMap.standardised(x, compute), compute) }
      values += blocks.forward(x, PackedBatch(lengths: group.map { batch.range($0).count })).output.values
    }
    return Matrix(rows: states.rows, columns: states.columns, values: values)
  }

  /// Logits over the temperature [B, V] of rows of `outputs` [B, C]: their softmax is the decoder's posterior.
  package func scores(_ outputs: Matrix) -> Matrix {
    var logits = outputHead.logits(outputs)
    compute.scaleScores(&logits, by: 1 / temperature)
    return logits
  }

  // MARK: - Gradients

  /// Everything that is trained, or a gradient of it.
  struct Parameters: Sendable {
    var map: Matrix?
    var bias: [Float]
    var blocks: [BlockAdapters]
    var norm: [Float]

    /// Squared norms, part by part.
    var squares: [Double] {
      [map?.values ?? [], bias, norm].map { $0.reduce(0) { $0 + Double($1) * Double($1) } } + blocks.map(\.squares)
    }
  }

  /// Mean loss in nats over the questions of a batch, and its gradient.
  /// - Parameter negatives: how many tokens stand for those that the batch does not ask for (`SampledVocabulary`), drawn from `draw`; nil: the
  ///   whole vocabulary.
  func gradients(_ observed: DecoderPairs.Observed, negatives: Int?, draw: CounterRandom) -> (loss: Double, gradients: Parameters) {
    let z = inputMap?.standardised(observed.states, compute) ?? observed.states
    let (y, tape) = blocks.forward(inputMap?.apply(z, compute) ?? z, observed.batch)
    let (rows, targets) = questions(observed.tokens, observed.batch)
    var found = Parameters(map: nil, bias: [], blocks: blocks.zeroGradients, norm: [Float](repeating: 0, count: norm.count))
    let (loss, dy): (Double, Matrix)
    if let negatives, let sample = SampledVocabulary(targets, vocabulary: head.weight.rows, negatives: negatives, draw: draw) {
      let part = outputHead.restricted(to: sample.ids, narrow: isNarrow)
      (loss, dy) = part.loss(
        y, rows: rows, targets: sample.targets, divisor: rows.count, offsets: sample.offsets, normGradient: &found.norm)
    } else {
      (loss, dy) = outputHead.loss(y, rows: rows, targets: targets, divisor: rows.count, normGradient: &found.norm)
    }
    let dx = blocks.backward(dy, tape, gradients: &found.blocks)
    if let inputMap {
      let (weight, bias) = inputMap.gradients(z, dx: dx, compute)
      (found.map, found.bias) = (weight, bias)
    }
    return (loss, found)
  }
}

/// AdamW over a whole decoder, gradients clipped together.
struct DecoderOptimizer: Sendable {
  private let rule: AdamW
  private var blocks: AdapterOptimizer
  private var map: AdamW.Moments
  private var bias: AdamW.Moments
  private var norm: AdamW.Moments
  private(set) var step = 0

  /// FedSEA's rule (β .9, .999, ε 1e-5, decay .01) by default.
  init(_ decoder: InversionDecoder, rule: AdamW = AdamW()) {
    self.rule = rule
    blocks = AdapterOptimizer(decoder.blocks.adapters, rule: rule, clip: nil)
    map = AdamW.Moments(count: decoder.inputMap?.weight.values.count ?? 0)
    bias = AdamW.Moments(count: decoder.inputMap?.bias.count ?? 0)
    norm = AdamW.Moments(count: decoder.norm.count)
  }

  /// One step at learning rate `rate`; the norm of the whole gradient is clipped to 1.
  mutating func update(_ decoder: inout InversionDecoder, _ gradients: InversionDecoder.Parameters, rate: Float) {
    step += 1
    let factor = clippingFactor(gradients.squares, bound: 1)
    blocks.update(&decoder.blocks.adapters, gradients: gradients.blocks, rate: rate, factor: factor)
    decoder.blocks.refresh()
    rule.update(&decoder.norm, gradient: gradients.norm, &norm, rate: rate, step: step, gradientScale: factor)
    guard decoder.inputMap != nil, let weight = gradients.map else { return }
    rule.update(&decoder.inputMap!.weight.values, gradient: weight.values, &map, rate: rate, step: step, gradientScale: factor)
    rule.update(&decoder.inputMap!.bias, gradient: gradients.bias, &bias, rate: rate, step: step, gradientScale: factor)
  }

  // MARK: - For files

  /// First and second moments by the names that `InversionDecoder.tensors` gives to what they are of, in a fixed order.
  var moments: [(name: String, moments: AdamW.Moments)] {
    var out = [("input_map.weight", map), ("input_map.bias", bias)].filter { !$0.1.first.isEmpty }
    for (i, block) in blocks.moments.enumerated() {
      out += block.sorted { $0.key.text < $1.key.text }.map { ("blocks.\(i).\($0.key.text)", $0.value) }
    }
    return out + [("norm.weight", norm)]
  }

  /// The optimizer as it was after `step` steps.
  /// - Parameter read: the moments of a name, each of `count` values.
  func restored(step: Int, _ read: (_ name: String, _ count: Int) throws -> AdamW.Moments) throws -> DecoderOptimizer {
    var out = self
    func known(_ name: String, _ own: AdamW.Moments) throws -> AdamW.Moments {
      own.first.isEmpty ? own : try read(name, own.first.count)
    }
    (out.map, out.bias) = (try known("input_map.weight", map), try known("input_map.bias", bias))
    for i in blocks.moments.indices {
      for (name, own) in blocks.moments[i] { out.blocks.moments[i][name] = try known("blocks.\(i).\(name.text)", own) }
      out.blocks.steps[i] = step
    }
    out.norm = try known("norm.weight", norm)
    out.step = step
    return out
  }
}
