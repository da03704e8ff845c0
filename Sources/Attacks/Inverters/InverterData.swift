import Audit
import Checkpoints
import Foundation
import Kernels
import Llama

/// Training material of an inverter, made on demand from public text and public weights: passages as they are, passages with a quarter of
/// their tokens replaced by random ones, and random token sequences, all through the client's blocks and the published defense. The made-up
/// ones show tokens that the public text lacks.
///
/// Every batch is a function of the seed and the step, so training can stop and go on.
struct InverterData: Sendable {
  /// Where a passage's tokens come from.
  enum Kind: Int, Sendable, CaseIterable { case text, replaced, random }

  /// Share of tokens that `replaced` passages lose.
  private static let replacement = 0.25
  /// Shares of the kinds in a batch: the first two thresholds.
  private static let thresholds = (text: 0.5, replaced: 0.85)

  let task: InverterTask
  let training: [[Int32]]
  let heldOut: [[Int32]]
  /// ln p(token) by kind of passage, [3, V].
  let priors: Matrix
  /// Tokens that random draws are from.
  private let vocabulary: [Int32]
  private let means: AttackerMeans

  /// The last eighth of the public text, at most 48 passages, is held out; without public text all passages are random.
  init(_ task: InverterTask, _ means: AttackerMeans) {
    (self.task, self.means) = (task, means)
    let size = means.model.configuration.vocabularySize
    let ordinary = (0..<Int32(size)).filter { !means.excluded.contains($0) }
    // A tokenizer may call every token of its own a control token.
    vocabulary = ordinary.isEmpty ? Array(0..<Int32(size)) : ordinary
    var text = means.auxiliary.filter { $0.count > 1 }
    if text.count < 8 {
      var draws = CounterRandom(seed: means.trainingSeed, stream: "inverter/passages").generator()
      let known = vocabulary
      text = (0..<64).map { _ in (0..<32).map { _ in known.randomElement(using: &draws)! } }
    }
    let held = min(48, max(1, text.count / 8))
    (training, heldOut) = (Array(text.dropLast(held)), Array(text.suffix(held)))
    priors = Self.priors(training, vocabulary, size)
  }

  /// Mean number of tokens of a passage.
  var meanLength: Float { Float(training.reduce(0) { $0 + $1.count }) / Float(training.count) }

  /// For the control: a permutation of the token ids.
  var tokenShuffle: [Int] {
    var draws = CounterRandom(seed: means.trainingSeed, stream: "inverter/shuffled-tokens").generator()
    return Array(0..<means.model.configuration.vocabularySize).shuffled(using: &draws)
  }

  private static func priors(_ text: [[Int32]], _ vocabulary: [Int32], _ size: Int) -> Matrix {
    var counts = [Double](repeating: 1e-6, count: size)
    for token in vocabulary { counts[Int(token)] = 0.5 }
    for token in text.joined() { counts[Int(token)] += 1 }
    let total = counts.reduce(0, +)
    var uniform = [Double](repeating: 1e-9 / Double(size), count: size)
    for token in vocabulary { uniform[Int(token)] = 1 / Double(vocabulary.count) }
    var rows: [Float] = []
    for share in [0, replacement, 1] {
      for (count, flat) in zip(counts, uniform) { rows.append(Float(log((1 - share) * count / total + share * flat))) }
    }
    return Matrix(rows: Kind.allCases.count, columns: size, values: rows)
  }

  // MARK: - Batches

  /// States with the tokens they are of.
  struct Examples: Sendable {
    /// As the attacker sees them, [N, C] ([N, F] of a cache).
    var states: Matrix
    var batch: PackedBatch
    /// [N]
    var labels: [Int32]
    /// Kind of the passage of each row.
    var kinds: [Int]
    /// Noise of the document of each row, in multiples of s.
    var levels: [Double]
    /// Rows that count: all but first positions, which are read another way.
    var counted: [Int]
  }

  /// A cache's batches come again after so many steps: running text up to a deep block takes longer than learning from it.
  static let cacheBatches = 48

  /// The batch of training step `step`: passages until there are `rows` tokens, each under s times one of `factors`.
  func batch(_ stage: String, step: Int, rows: Int, factors: [Double]) -> Examples {
    guard task.cache != nil else { return drawn(stage, step: step, rows: rows, factors: factors) }
    let number = step % Self.cacheBatches
    return means.memory.table("inverter/batch/\(task)/\(stage)/\(number)/\(rows)/\(factors)") {
      drawn(stage, step: number, rows: rows, factors: factors)
    }
  }

  private func drawn(_ stage: String, step: Int, rows: Int, factors: [Double]) -> Examples {
    var draws = CounterRandom(seed: means.trainingSeed, stream: "inverter/batch/\(stage)").generator(item: UInt64(step))
    var (passages, kinds, levels, total) = ([[Int32]](), [Int](), [Double](), 0)
    while total < rows {
      var passage = training[Int.random(in: 0..<training.count, using: &draws)]
      let u = Double.random(in: 0..<1, using: &draws)
      let kind: Kind = u < Self.thresholds.text ? .text : u < Self.thresholds.replaced ? .replaced : .random
      passage = remade(passage, kind, using: &draws)
      passages.append(passage)
      kinds.append(kind.rawValue)
      levels.append(factors[Int.random(in: 0..<factors.count, using: &draws)])
      total += passage.count
    }
    return examples(
      passages, kinds, levels: levels, first: UInt64(step) << 12, stream: "inverter/noise/\(stage)", shuffle: &draws)
  }

  /// Held-out text under s times each of `factors` in turn.
  func heldOut(factors: [Double]) -> Examples {
    means.memory.table("inverter/held-out/\(task)/\(factors)") { judged(factors) }
  }

  private func judged(_ factors: [Double]) -> Examples {
    var draws = CounterRandom(seed: means.trainingSeed, stream: "inverter/held-out").generator()
    let levels = heldOut.indices.map { factors[$0 % factors.count] }
    return examples(
      heldOut, heldOut.map { _ in Kind.text.rawValue }, levels: levels, first: 0, stream: "inverter/noise/held-out", shuffle: &draws)
  }

  /// States without the noise that is white in them, counted rows only, of the first passages as they are and with tokens replaced.
  func residualExamples(passages count: Int) -> (states: Matrix, labels: [Int32]) {
    var draws = CounterRandom(seed: means.trainingSeed, stream: "inverter/residual").generator()
    let text = Array(training.prefix(count))
    let all = text + text.map { remade($0, .replaced, using: &draws) }
    let found = examples(
      all, all.map { _ in 0 }, levels: all.map { _ in task.cache == nil ? 0 : 1 }, first: 0, stream: "inverter/noise/residual",
      shuffle: &draws)
    return (means.model.compute.gather(found.states, rows: found.counted[...]), found.counted.map { found.labels[$0] })
  }

  private func remade(_ passage: [Int32], _ kind: Kind, using draws: inout CounterRandom.Sequence) -> [Int32] {
    passage.map { token in
      switch kind {
      case .text: token
      case .replaced:
        Double.random(in: 0..<1, using: &draws) < Self.replacement ? vocabulary.randomElement(using: &draws)! : token
      case .random: vocabulary.randomElement(using: &draws)!
      }
    }
  }

  private func examples(
    _ passages: [[Int32]], _ kinds: [Int], levels: [Double], first: UInt64, stream: String, shuffle: inout CounterRandom.Sequence
  ) -> Examples {
    let compute = means.model.compute
    let batch = PackedBatch(lengths: passages.map(\.count))
    let clean = means.states(of: passages, inputBlocks: task.inputBlocks)
    let random = CounterRandom(seed: means.trainingSeed, stream: stream)
    var states = clean
    for level in Set(levels).sorted() {
      let rows = passages.indices.filter { levels[$0] == level }.flatMap { Array(batch.range($0)) }
      let of = passages.indices.filter { levels[$0] == level }.flatMap { p in passages[p].indices.map { (first + UInt64(p), $0) } }
      let seen = task.noise.observed(
        compute.gather(clean, rows: rows[...]), sequences: of.map(\.0), positions: of.map(\.1), sigma: level * task.sigma, random: random,
        compute)
      compute.scatter(seen, into: &states, rows: rows[...])
    }
    if let cache = task.cache {
      states = cache.feature(means).applyInParts(means.passed(states, batch, through: task.inputBlocks..<cache.block), compute)
    }
    let firsts = Set(batch.offsets.dropLast())
    var counted = (0..<batch.rows).filter { task.pooling != .none || !firsts.contains($0) }
    if counted.isEmpty { counted = Array(0..<batch.rows) }
    if task.pooling != .none {
      let pooled = task.pooling.applied(states, offsets: batch.offsets)
      states = compute.gather(pooled, rows: passages.indices.flatMap { p in passages[p].map { _ in p } }[...])
    }
    var labels = passages.flatMap { $0 }
    if task.isShuffled {
      let dealt = counted.shuffled(using: &shuffle)
      let known = labels
      for (to, from) in zip(counted, dealt) { labels[to] = known[from] }
    }
    return Examples(
      states: states, batch: batch, labels: labels, kinds: passages.indices.flatMap { p in passages[p].map { _ in kinds[p] } },
      levels: passages.indices.flatMap { p in passages[p].map { _ in levels[p] } },
      counted: counted)
  }
}

extension InverterTask.Pooling {
  /// One row a document, [documents, C]; `none` leaves the states as they are. Documents must not be empty.
  func applied(_ states: Matrix, offsets: [Int]) -> Matrix {
    if self == .none { return states }
    var out = Matrix(rows: offsets.count - 1, columns: states.columns)
    for document in 0..<out.rows {
      let rows = offsets[document]..<offsets[document + 1]
      let used = self == .last ? rows.suffix(1) : rows
      for r in used {
        for c in 0..<states.columns {
          out.values[document * states.columns + c] += states.values[r * states.columns + c] / Float(used.count)
        }
      }
    }
    return out
  }
}
