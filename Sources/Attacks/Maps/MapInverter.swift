package import Audit
import Checkpoints
import Diagnostics
import Foundation
import Kernels
import Llama
import SplitLearning

/// A12: tokens from attention maps alone. The attacker runs public text through its own copy of the model under the published noise, keeps the maps of the
/// same blocks and heads, and trains a small recurrent network from features of a position's rows and columns to its token.
///
/// A map also tells where a position stands and how long the text is; `map-position-control` is trained on exactly that and nothing else, and only what
/// exceeds it comes from attention.
package struct MapInverter: Attack {
  package static let description = MethodDescription(
    name: "map-inverter", summary: "a network trained on public text reads tokens from attention maps alone",
    paper: "SplitLLM: GRU inverters for attention (2025); theory: Unmasking Transformers (2023)",
    deviations: "eight features a head in place of whole maps; both reading directions; the classes are the tokens of public text",
    cost: "one pass of public text through the blocks, then `budget_seconds` of training", knowledge: .k1, channels: [.attentionMaps],
    family: .maps,
    settings: MapTraining.texts)

  package static let rules = MapTraining.rules
  private let training: MapTraining

  package init(_ settings: [String: SettingValue]) throws { training = try MapTraining(SettingReader(settings, of: Self.description.name)) }

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    try training.reconstruct(view, means, positionsOnly: false, by: Self.description.name, progress)
  }
}

/// Control of `map-inverter`: the same network, trained on the position of each token and on where the text ends.
package struct MapPositionControl: Attack {
  package static let description = MethodDescription(
    name: "map-position-control", summary: "the map inverter's network, given positions and no map", paper: "control",
    cost: "as map-inverter",
    knowledge: .k1, channels: [.attentionMaps], isBaseline: true, settings: MapTraining.texts)

  package static let rules = MapTraining.rules
  private let training: MapTraining

  package init(_ settings: [String: SettingValue]) throws { training = try MapTraining(SettingReader(settings, of: Self.description.name)) }

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    try training.reconstruct(view, means, positionsOnly: true, by: Self.description.name, progress)
  }
}

/// What the map inverter and its control share: public text as training material, and the loop.
struct MapTraining: Sendable, Hashable {
  static let texts = [
    "steps": "most training steps of 8 passages, default 600", "budget_seconds": "most seconds of training, default 60",
    "width": "hidden units of each layer, default 96",
  ]
  static let rules: [String: SettingRule] = [
    "steps": .integer(1...1_000_000), "budget_seconds": .number(0...1e6), "width": .integer(1...2048),
  ]

  private static let passagesPerStep = 8
  private static let mostPassages = 512
  private static let mostClasses = 4096
  private static let rate: Float = 2e-3

  private let steps: Int
  private let budget: Double
  private let width: Int

  init(_ reader: SettingReader) throws {
    steps = try reader.integer("steps", default: 600, in: 1...1_000_000)
    budget = try reader.real("budget_seconds", default: 60, in: 0...1e6)
    width = try reader.integer("width", default: 96, in: 1...2048)
  }

  func reconstruct(
    _ view: AdversaryView, _ means: AttackerMeans, positionsOnly: Bool, by attack: String, _ progress: (Double) throws -> Void
  ) throws -> Reconstruction {
    let compute = means.model.compute
    let seen = try view.required(.attentionMaps, by: attack)
    try view.requireKnownNoise(by: attack)
    let allHeads = means.model.configuration.heads
    let heads = seen.heads.isEmpty ? Array(0..<allHeads) : seen.heads
    let server = view.partition.input..<max(view.partition.input, means.model.stack.blocks.count - max(0, view.partition.output))
    guard !seen.blocks.isEmpty, seen.blocks.allSatisfy(server.contains), heads.allSatisfy((0..<allHeads).contains),
      seen.values.columns.isMultiple(of: seen.blocks.count * heads.count)
    else { throw Fault(.invalidData, "\(attack): the maps are of other blocks or heads than this model has") }
    let maps = seen.blocks.count * heads.count
    let longest = seen.values.columns / maps
    guard (0..<view.documents).allSatisfy({ view.range(of: $0).count <= longest }) else {
      throw Fault(.invalidData, "\(attack): maps of \(longest) positions for longer documents")
    }
    let own =
      positionsOnly
      ? MapFeatures.positions(lengths: (0..<view.documents).map { view.range(of: $0).count }, heads: maps)
      : MapFeatures.features(seen.values, offsets: view.offsets, heads: maps, longest: longest)
    let key = "map-inverter/\(view.partition.input)/\(seen.blocks)/\(heads)/\(longest)/\(view.inputNoise)/\(self)/\(positionsOnly)"
    let trained: Trained = try means.memory.table(key) {
      try self.trained(view, means, blocks: seen.blocks, heads: heads, longest: longest, positionsOnly: positionsOnly, by: attack) {
        try progress(0.95 * $0)
      }
    }
    let (network, classes, reading) = (trained.network, trained.classes, Date())

    var found = Reconstruction(tokens: [], posterior: TokenPosterior(width: SequentialDecoder.posteriorWidth))
    for document in 0..<view.documents {
      let rows = view.range(of: document)
      let scores = network.scores(own.slice(rows), PackedBatch(lengths: [rows.count]), compute)
      let normalisers = compute.logSumExp(scores)
      var tokens: [Int32] = []
      for r in 0..<rows.count {
        let logs = scores[row: r].map { $0 - normalisers[r] }
        let top = largest(min(SequentialDecoder.posteriorWidth, classes.count), of: logs)
        tokens.append(classes[Int(top[0])])
        let listed = top.map { logs[Int($0)] + log(Float(0.98)) }
        // Tokens that public text lacks keep a fiftieth.
        let rest = max(0.02, 1 - listed.reduce(0.0) { $0 + exp(Double($1)) })
        found.posterior!.append(ids: top.map { classes[Int($0)] }, logProbabilities: listed, rest: Float(log(rest)))
      }
      found.tokens.append(tokens)
    }
    found.cost = AttackCost(seconds: trained.seconds + Date().timeIntervalSince(reading))
    return found
  }

  /// A network ready for use, what its outputs are of, and the seconds that it took.
  private struct Trained: Sendable {
    var network: MapNetwork
    var classes: [Int32]
    var seconds: Double
  }

  /// Learns from public text as if its maps had been recorded like the victim's. Once for all seeds of a plan.
  private func trained(
    _ view: AdversaryView, _ means: AttackerMeans, blocks: [Int], heads: [Int], longest: Int, positionsOnly: Bool, by attack: String,
    _ progress: (Double) throws -> Void
  ) throws -> Trained {
    let (started, compute) = (Date(), means.model.compute)
    let texts = Array(means.auxiliary.filter { $0.count > 1 && $0.count <= longest }.prefix(Self.mostPassages))
    guard texts.count >= 8 else {
      throw Fault(.invalidData, "\(attack): \(texts.count) public passages of at most \(longest) tokens, 8 are needed")
    }
    var counts: [Int32: Int] = [:]
    for token in texts.joined() { counts[token, default: 0] += 1 }
    let classes = counts.sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }.prefix(Self.mostClasses).map(\.key)
    let index = Dictionary(uniqueKeysWithValues: classes.enumerated().map { ($1, Int32($0)) })
    let material =
      try positionsOnly
      ? texts.map { MapFeatures.positions(lengths: [$0.count], heads: blocks.count * heads.count) }
      : rehearsed(texts, view, means, blocks: blocks, heads: heads, longest: longest) { try progress(0.2 * $0) }

    var network = MapNetwork(inputs: material[0].columns, width: width, classes: classes.count, seed: means.trainingSeed)
    let total = Double(classes.reduce(0) { $0 + counts[$1]! })
    network.start(at: classes.map { Float(log(Double(counts[$0]!) / total)) })
    var draws = CounterRandom(seed: means.trainingSeed, stream: "map-inverter/order").generator()
    var (moments, rule) = ([String: AdamW.Moments](), AdamW(epsilon: 1e-8, weightDecay: 1e-5))
    rule.beta2 = 0.99
    let schedule = LearningRateSchedule(peak: Self.rate, warmup: min(20, steps), steps: steps)
    let began = Date()
    for step in 0..<steps {
      guard Date().timeIntervalSince(began) < budget else { break }
      let chosen = (0..<Self.passagesPerStep).map { _ in Int.random(in: 0..<texts.count, using: &draws) }
      let batch = PackedBatch(lengths: chosen.map { texts[$0].count })
      let x = Matrix(stacking: chosen.map { material[$0] })
      network.visit("") { _, tensor in tensor.gradient = Matrix(rows: tensor.value.rows, columns: tensor.value.columns) }
      _ = network.learn(x, batch, labels: chosen.flatMap { texts[$0].map { index[$0] ?? -1 } }, compute)
      network.visit("") { name, tensor in
        var own = moments.removeValue(forKey: name) ?? AdamW.Moments(count: tensor.value.values.count)
        rule.update(&tensor.value.values, gradient: tensor.gradient.values, &own, rate: schedule.rate(step), step: step + 1)
        moments[name] = own
      }
      try progress(0.2 + 0.8 * Double(step + 1) / Double(steps))
    }
    return Trained(network: network, classes: classes, seconds: Date().timeIntervalSince(started))
  }

  /// Features of every public passage, as if its maps had been recorded like the victim's.
  private func rehearsed(
    _ texts: [[Int32]], _ view: AdversaryView, _ means: AttackerMeans, blocks: [Int], heads: [Int], longest: Int,
    _ progress: (Double) throws -> Void
  ) throws -> [Matrix] {
    let (model, p) = (means.model, view.partition.input)
    let server = model.stack[p..<blocks[blocks.count - 1] + 1]
    return try texts.enumerated().map { i, text in
      let (_, sent) = means.sent([text], inputBlocks: p, under: view.inputNoise, number: i, stream: "maps")
      var seen: [Int: Matrix] = [:]
      let probe = ActivationProbe(
        wants: { $0.tensor == .map && blocks.contains($0.block) }, record: { seen[$0.block] = $1 })
      var caches = [server.emptyCache()]
      _ = server.forward(sent, PackedBatch(lengths: [text.count]), caches: &caches, probe: probe)
      var rows = Matrix(rows: text.count, columns: blocks.count * heads.count * longest)
      for t in 0..<text.count {
        for (b, block) in blocks.enumerated() {
          for (h, head) in heads.enumerated() {
            let at = t * rows.columns + (b * heads.count + h) * longest
            rows.values.replaceSubrange(at..<at + text.count, with: seen[block]![row: head * text.count + t])
          }
        }
      }
      try progress(Double(i + 1) / Double(texts.count))
      return MapFeatures.features(rows, offsets: [0, text.count], heads: blocks.count * heads.count, longest: longest)
    }
  }
}
