import Audit
import Checkpoints
import Foundation
import Kernels
import Llama

/// How a decoder is trained.
struct DecoderTraining: Sendable, Hashable {
  /// Where the blocks start.
  enum Initial: String, Sendable, CaseIterable {
    /// From the last blocks of the public checkpoint, as FedSEA's decoder does.
    case last
    /// From the client's own blocks, last one first.
    case reversed
  }

  var mode: InversionDecoder.Mode
  var initial: Initial
  /// What the attention and feed-forward outputs of the initial blocks are multiplied by.
  var residualScale: Double
  /// Whether an input map, fitted by regression, stands before the blocks.
  var hasInputMap: Bool
  /// Steps of the final training.
  var steps: Int
  /// Passages a step.
  var batch: Int
  /// Tokens that stand for those that a step does not ask for; nil: the whole vocabulary.
  var negatives: Int?
  /// Peak learning rate; nil: the best of `candidateRates` in short runs.
  var learningRate: Double?
  /// Training ends early, with its learning rate brought down in time, when it would take longer. A run that is cut short depends on the
  /// machine's speed.
  var budgetSeconds: Double

  /// Counts changes of the training code that change its results: part of the key of stored decoders.
  static let version = 1
  /// Learning rates that are tried.
  static let candidateRates = [1e-4, 3e-4, 1e-3]
  /// Each candidate is tried for this share of the steps.
  static let trialShare = 0.1
  /// Among these the calibrating one is sought: 0.19 to 1.7.
  static let temperatures: [Float] = (-9...3).map { Float(pow(1.2, Double($0))) }
  /// At most so many passages, one tenth of the labelled ones, are held out.
  static let mostHeldOut = 24

  /// Learning rates that are tried; one that is given is not.
  var trials: Int { learningRate == nil ? Self.candidateRates.count : 0 }

  /// A decoder whose blocks are initial and whose input map, if it has one, is zero.
  func form(_ model: LlamaModel, inputBlocks p: Int) -> InversionDecoder {
    let precision: Precision = Compute.hasBF16Products && model.compute.library == .oneDNN ? .bf16 : .f32
    let all = model.configuration.blocks
    var stack = model.stack[all - p..<all]
    if initial == .reversed {
      stack = model.stack[0..<p]
      for i in 0..<p { stack = stack.replacing(block: i, by: model.stack.blocks[p - 1 - i]) }
    }
    var blocks = TrainableStack(whole: stack, precision: precision)
    if residualScale != 1 {
      for i in blocks.adapters.indices {
        for name in [ParameterName.weight(.output), .weight(.down)] {
          blocks.adapters[i][name] = blocks.adapters[i][name].map { $0 * Float(residualScale) }
        }
      }
      blocks.refresh()
    }
    let c = model.head.norm.count
    let map = InputMap(
      centre: .init(repeating: 0, count: c), scale: .init(repeating: 1, count: c), weight: Matrix(rows: c, columns: c),
      bias: .init(repeating: 0, count: c))
    return InversionDecoder(
      mode: mode, inputMap: hasInputMap ? map : nil, blocks: blocks, norm: model.head.norm, head: model.head, narrow: precision == .bf16)
  }

  /// Trains a decoder. Randomness: `seed`; the same arguments give the same decoder on one machine unless the budget cuts training short, stopped and gone
  /// on with or not.
  /// - Parameters:
  ///   - model: the public checkpoint.
  ///   - inputBlocks: blocks before the cut; the decoder has as many.
  ///   - resumed: where an earlier process stopped, given the decoder that it started from.
  ///   - save: told of every state worth keeping; may throw to stop.
  ///   - progress: fraction done; may throw to stop.
  func outcome(
    _ curriculum: DecoderCurriculum, model: LlamaModel, inputBlocks: Int, seed: UInt64,
    resumed: (InversionDecoder) -> DecoderProgress? = { _ in nil }, save: (DecoderProgress) throws -> Void = { _ in },
    progress: (Double) throws -> Void
  ) throws -> TrainedDecoder {
    let began = Date()
    let run = Run(self, curriculum, seed: seed, compute: model.compute)
    let start = run.start(model, inputBlocks: inputBlocks)
    var state = resumed(start) ?? DecoderProgress(start)
    let before = state.seconds
    func spent() -> Double { before + Date().timeIntervalSince(began) }
    let rates = learningRate.map { [$0] } ?? Self.candidateRates
    let trialShare = trials > 0 ? 0.08 : 0
    if trials > 0 {
      let trial = DecoderCourse.Limits(steps: max(1, Int(Double(steps) * Self.trialShare)), seconds: budgetSeconds * Self.trialShare / 1.5)
      for candidate in rates.dropFirst(state.trials.count) {
        let done = trialShare * Double(state.trials.count)
        let tried = try run.trained(DecoderCourse(start), rate: candidate, trial) { _ in
        } progress: {
          try progress(done + trialShare * $0)
        }
        let loss = run.heldOut(tried.decoder, temperatures: Self.temperatures).map(\.loss).min()!
        state.trials.append(loss.isFinite ? loss : .greatestFiniteMagnitude)
        state.seconds = spent()
        try save(state)
      }
    }
    let rate = state.trials.isEmpty ? rates[0] : rates[state.trials.indices.min { state.trials[$0] < state.trials[$1] }!]
    let done = trialShare * Double(trials)
    let limits = DecoderCourse.Limits(steps: steps, seconds: max(1e-3, budgetSeconds - spent() + state.course.seconds))
    state.course = try run.trained(state.course, rate: rate, limits) { course in
      (state.course, state.seconds) = (course, spent())
      try save(state)
    } progress: {
      try progress(done + (1 - done) * $0)
    }
    var decoder = state.course.decoder
    let fits = run.heldOut(decoder, temperatures: Self.temperatures)
    let best = fits.indices.min { fits[$0].loss < fits[$1].loss }!
    decoder.temperature = Self.temperatures[best]
    return TrainedDecoder(
      decoder: decoder, source: curriculum.source, learningRate: rate, steps: state.course.step, seconds: spent(),
      heldOutLoss: fits[best].loss, heldOutAccuracy: fits[best].accuracy)
  }
}

/// A decoder, and how it came about.
package struct TrainedDecoder: Sendable {
  package var decoder: InversionDecoder
  package var source: DecoderCurriculum.Source
  package var learningRate: Double
  package var steps: Int
  package var seconds: Double
  /// On held-out passages: mean negative log-likelihood in nats a question, temperature applied, and the share of questions answered right.
  package var heldOutLoss: Double
  package var heldOutAccuracy: Double
}

/// One training: which passages are trained on and which held out, and the draws.
private struct Run {
  let training: DecoderTraining
  let curriculum: DecoderCurriculum
  let seed: UInt64
  let compute: Compute
  /// Passages of `curriculum.real`.
  let trained: [Int]
  let test: DecoderPairs.Observed

  init(_ training: DecoderTraining, _ curriculum: DecoderCurriculum, seed: UInt64, compute: Compute) {
    (self.training, self.curriculum, self.seed, self.compute) = (training, curriculum, seed, compute)
    var generator = CounterRandom(seed: seed, stream: "attention-decoder/held-out").generator()
    let order = curriculum.real.passages.indices.shuffled(using: &generator)
    let count = min(DecoderTraining.mostHeldOut, max(1, order.count / 10))
    trained = Array(order.dropFirst(count))
    test = curriculum.real.observed(
      Array(order.prefix(count)), law: curriculum.law, draw: CounterRandom(seed: seed, stream: "attention-decoder/held-out/noise"), compute)
  }

  private func random(_ name: String) -> CounterRandom { CounterRandom(seed: seed, stream: "attention-decoder/\(name)") }

  // MARK: - Where training starts

  func start(_ model: LlamaModel, inputBlocks: Int) -> InversionDecoder {
    var out = training.form(model, inputBlocks: inputBlocks)
    guard training.hasInputMap else { return out }
    let flat = [Float](repeating: 1, count: model.head.norm.count)
    (out.inputMap, out.norm) = (InputMap(regressing: everything(), head: model.head.weight, compute), flat)
    // The regression gives directions; how long the head wants them is one number.
    let temperatures: [Float] = (-8...8).map { Float(pow(2, Double($0))) }
    let fits = heldOut(out, temperatures: temperatures)
    let best = fits.indices.min { fits[$0].loss < fits[$1].loss }!
    out.norm = flat.map { $0 / temperatures[best] }
    return out
  }

  /// All passages that are trained on, observed once, in batches of a few thousand rows.
  private func everything() -> [DecoderPairs.Observed] {
    let synthetic = curriculum.synthetic
    func batches(_ pairs: DecoderPairs, _ passages: [Int], _ draw: CounterRandom) -> [DecoderPairs.Observed] {
      stride(from: 0, to: passages.count, by: 64).map {
        pairs.observed(Array(passages[$0..<min($0 + 64, passages.count)]), law: curriculum.law, draw: draw, compute)
      }
    }
    return batches(curriculum.real, trained, random("regression/real"))
      + (synthetic.map { batches($0, Array($0.passages.indices), random("regression/synthetic")) } ?? [])
  }

  // MARK: - Training

  /// Goes on until the steps or seconds of `limits` are used up: the rate rises over the first twentieth of whichever is nearer, then falls linearly to
  /// zero. `save` is told where training stands every `DecoderCourse.interval` steps.
  func trained(
    _ start: DecoderCourse, rate: Double, _ limits: DecoderCourse.Limits, save: (DecoderCourse) throws -> Void,
    progress: (Double) throws -> Void
  ) throws -> DecoderCourse {
    let schedule = LearningRateSchedule(peak: Float(rate), warmup: 50, steps: 1000)
    var course = start
    var real = Shuffle(trained, random("order/real"))
    var synthetic = curriculum.synthetic.map { Shuffle(Array($0.passages.indices), random("order/synthetic")) }
    let share = synthetic == nil ? training.batch : (training.batch + 1) / 2
    // The passages of a step follow from its number: those of earlier steps are passed over.
    for _ in 0..<course.step {
      _ = real.next(share)
      if training.batch > share { _ = synthetic?.next(training.batch - share) }
    }
    let began = Date()
    while course.step < limits.steps {
      course.seconds = start.seconds + Date().timeIntervalSince(began)
      let done = max(Double(course.step) / Double(limits.steps), course.seconds / limits.seconds)
      guard done < 1 else { break }
      if course.step > start.step, course.step % DecoderCourse.interval == 0 { try save(course) }
      try progress(done)
      let step = course.step
      var observed = curriculum.real.observed(real.next(share), law: curriculum.law, draw: random("noise/real/\(step)"), compute)
      if let pairs = curriculum.synthetic, training.batch > share {
        observed =
          observed
          + pairs.observed(
            synthetic!.next(training.batch - share), law: curriculum.law, draw: random("noise/synthetic/\(step)"), compute)
      }
      let (_, gradients) = course.decoder.gradients(observed, negatives: training.negatives, draw: random("negatives/\(step)"))
      course.optimizer.update(&course.decoder, gradients, rate: schedule.rate(Int(done * 1000)))
    }
    return course
  }

  /// Passages in a new random order every time round.
  private struct Shuffle {
    private let items: [Int]
    private let random: CounterRandom
    private var queue: [Int] = []
    private var round: UInt64 = 0

    init(_ items: [Int], _ random: CounterRandom) { (self.items, self.random) = (items, random) }

    mutating func next(_ count: Int) -> [Int] {
      var out: [Int] = []
      while out.count < min(count, items.count) {
        if queue.isEmpty {
          var generator = random.generator(item: round)
          queue = items.shuffled(using: &generator)
          round += 1
        }
        out.append(queue.removeLast())
      }
      return out
    }
  }

  // MARK: - Held-out passages

  /// Mean loss in nats a question and accuracy at each temperature.
  func heldOut(_ decoder: InversionDecoder, temperatures: [Float]) -> [(loss: Double, accuracy: Double)] {
    let (rows, targets) = decoder.questions(test.tokens, test.batch)
    guard !rows.isEmpty else { return temperatures.map { _ in (0, 0) } }
    let outputs = decoder.outputs(test.states, test.batch)
    var losses = [Double](repeating: 0, count: temperatures.count)
    var hits = 0
    for start in stride(from: 0, to: rows.count, by: 128) {
      let part = start..<min(start + 128, rows.count)
      let logits = decoder.outputHead.logits(compute.gather(outputs, rows: rows[part]))
      for (k, temperature) in temperatures.enumerated() {
        var scaled = logits
        compute.scaleScores(&scaled, by: 1 / temperature)
        for (i, normaliser) in compute.logSumExp(scaled).enumerated() {
          losses[k] += Double(normaliser - scaled[i, Int(targets[start + i])])
        }
      }
      for i in part where largest(1, of: Array(logits[row: i - start]))[0] == targets[i] { hits += 1 }
    }
    return losses.map { ($0 / Double(rows.count), Double(hits) / Double(rows.count)) }
  }
}
