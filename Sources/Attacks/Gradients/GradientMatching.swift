package import Audit
import Checkpoints
import Diagnostics
import Foundation
import Kernels
import Llama
import SplitLearning

/// A14: soft labels that would have caused the gradient a client returned, found by descent: the published family of gradient matching, at the
/// output cut of split learning, where states are known and labels are what is private. `label-matching` solves the same exactly.
///
/// S_t = softmax(Z_t) over K labels a position, of which half are those that the victim's prediction favours and half those whose head row lies
/// most along −D g_t, the direct path from label to gradient. The gradient is linear in S (`SoftLabelGradient`); Z follows Adam.
package struct GradientMatching: Attack {
  enum Variant: String, CaseIterable {
    case dlg, tag, lamp, bisr

    var distance: GradientDistance {
      switch self {
      case .dlg: .dlg
      case .tag, .bisr: .tag
      case .lamp: .lamp
      }
    }
  }

  package static let description = MethodDescription(
    name: "gradient-matching", summary: "soft labels whose gradient is nearest to the one returned, by descent",
    paper:
      "DLG (Zhu et al. 2019), TAG (Deng et al. 2021), LAMP (Balunović et al. 2022), BiSR's backward step (Chen et al. 2024, SplitLLM)",
    deviations:
      "states are known, so labels alone are optimised; K candidates a position; the unknown scale is fitted; LAMP moves labels by swapping, moving and replacing them, scored with the victim's own prediction in place of GPT-2's perplexity",
    cost: "two forward passes and one backward pass through q blocks a step", knowledge: .k2,
    channels: [.outputGradients, .outputHiddenStates],
    settings: [
      "variant":
        "tag (default): .85 L2 + .15 L1; dlg: L2; lamp: cosine with discrete moves; bisr: TAG's distance, from the victim's own prediction on",
      "steps": "of Adam, default 100",
      "learning_rate": "of Adam, default 0.4, a tenth at the end; the papers take 0.09 or less and as many more steps",
      "fluency": "lamp: what a nat of the victim's own loss counts beside the distance, default 0.2",
      "candidates": "labels per position, default 256", "budget_seconds": "stop after so long, default never",
    ])

  package static let rules: [String: SettingRule] = [
    "variant": .choice(Variant.allCases.map(\.rawValue)), "steps": .integer(1...100_000), "learning_rate": .number(1e-6...100),
    "candidates": .integer(2...(1 << 20)), "fluency": .number(0...100), "budget_seconds": .number(0.001...1e6),
  ]

  private let variant: Variant
  private let steps: Int
  private let rate: Float
  private let candidates: Int
  private let budget: Double?
  private let fluency: Double

  /// Discrete rounds of LAMP, moves tried in each, and the temperature of the start at the prediction.
  private static let rounds = 3
  private static let moves = 40
  private static let temperature: Float = 1.2

  package init(_ settings: [String: SettingValue]) throws {
    let reader = SettingReader(settings, of: Self.description.name)
    variant = try reader.choice("variant", default: .tag)
    steps = try reader.integer("steps", default: 100, in: 1...100_000)
    rate = Float(try reader.real("learning_rate", default: 0.4, in: 1e-6...100))
    candidates = try reader.integer("candidates", default: 256, in: 2...(1 << 20))
    fluency = try reader.real("fluency", default: 0.2, in: 0...100)
    budget = settings["budget_seconds"] == nil ? nil : try reader.real("budget_seconds", default: 1, in: 0.001...1e6)
  }

  package func reconstruct(_ view: AdversaryView, with means: AttackerMeans, progress: (Double) throws -> Void) throws -> Reconstruction {
    let started = Date()
    let seen = try CutGradients(view, means, attack: Self.description.name)
    let deadline = budget.map { started.addingTimeInterval($0) }
    var found = Reconstruction(tokens: [])
    for document in 0..<view.documents {
      let rows = view.range(of: document)
      let first = rows.isEmpty ? [] : [Unigram.of(means).ranked[0]]
      guard rows.count > 1 else {
        found.tokens.append(first)
        continue
      }
      let labels = try labels(seen, rows, document, means, deadline) { done in
        try progress((Double(rows.lowerBound) + done * Double(rows.count)) / Double(max(1, view.tokens)))
      }
      found.tokens.append(first + labels)
    }
    found.cost = AttackCost(seconds: Date().timeIntervalSince(started))
    return found
  }

  private func labels(
    _ seen: CutGradients, _ rows: Range<Int>, _ document: Int, _ means: AttackerMeans, _ deadline: Date?, progress: (Double) throws -> Void
  ) throws -> [Int32] {
    let compute = means.model.compute
    let model = SoftLabelGradient(seen.stack, means.model.head, seen.states.slice(rows))
    guard model.output.values.allSatisfy({ $0.magnitude < 1e15 }) else {
      throw Fault(.invalidData, "\(Self.description.name): the states of document \(document) overflow behind the cut")
    }
    let sent = seen.gradients.slice(rows)
    let table = LabelTable.of(means).weights
    let random = CounterRandom(seed: means.seed, stream: "attack/gradient-matching")
    var soft = SoftLabels(model, sent, count: min(candidates, table.rows), table, means)
    switch variant {
    case .bisr: soft.logits.values = soft.prior.values.map { $0 / Self.temperature }
    default: soft.logits.values = random.normals(item: UInt64(document), count: soft.logits.values.count).map { Float($0) }
    }
    let rule = AdamW(beta1: 0.9, beta2: 0.999, epsilon: 1e-12, weightDecay: variant == .bisr ? 0.02 : 0)
    var moments = AdamW.Moments(count: soft.logits.values.count)
    let scales = try seen.scales(document, rows, means)
    var generator = random.generator(item: UInt64(document))
    for step in 0..<steps {
      let (weights, mixed) = compute.mixture(soft.logits, ids: soft.ids, temperature: 1, table: table.values, columns: table.columns)
      let e = variant.distance.evaluate(model.gradient(mixed), sent, scales: scales).gradient
      let dMixed = model.transposed(e).slice(0..<mixed.rows)
      let gradient = compute.mixtureBackward(weights, ids: soft.ids, temperature: 1, table: table.values, dMixed: dMixed)
      guard gradient.values.allSatisfy(\.isFinite) else {
        throw Fault(.invalidData, "\(Self.description.name): the gradients of document \(document) are too large or too small to match")
      }
      let done = Double(step + 1) / Double(steps)
      rule.update(
        &soft.logits.values, gradient: gradient.values, &moments, rate: rate * Float(pow(0.1, Double(step) / Double(steps))), step: step + 1
      )
      if variant == .lamp, (step + 1) % max(1, steps / Self.rounds) == 0 {
        move(&soft, model, sent, table, &generator, compute)
      }
      try progress(done)
      if let deadline, Date() >= deadline { break }
    }
    return soft.tokens
  }

  /// LAMP's discrete stage: swaps, moves and replacements of labels that lower distance + `fluency` · mean loss of the prediction.
  private func move(
    _ soft: inout SoftLabels, _ model: SoftLabelGradient, _ sent: Matrix, _ table: Matrix, _ generator: inout CounterRandom.Sequence,
    _ compute: Compute
  ) {
    func score(_ labels: [Int32]) -> Double {
      let mixed = compute.gather(table, rows: labels.map(Int.init)[...])
      return variant.distance.evaluate(model.gradient(mixed), sent).value + fluency * soft.meanLoss(labels)
    }
    var best = soft.tokens
    var bestScore = score(best)
    for _ in 0..<Self.moves {
      var trial = best
      let (a, b) = (Int.random(in: 0..<trial.count, using: &generator), Int.random(in: 0..<trial.count, using: &generator))
      switch Int.random(in: 0..<3, using: &generator) {
      case 0: trial.swapAt(a, b)
      case 1: trial.insert(trial.remove(at: a), at: b)
      default: trial[a] = soft.ids[a * soft.logits.columns + Int.random(in: 0..<min(8, soft.logits.columns), using: &generator)]
      }
      // A label that is no candidate of its new place cannot be kept there.
      guard trial.indices.allSatisfy({ trial[$0] == best[$0] || soft.place(of: trial[$0], row: $0) != nil }) else { continue }
      let value = score(trial)
      if value < bestScore { (best, bestScore) = (trial, value) }
    }
    for (row, token) in best.enumerated() { soft.prefer(token, row: row) }
  }
}
