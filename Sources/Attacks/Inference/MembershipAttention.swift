package import Audit
import Checkpoints
import Diagnostics
import Foundation
import Kernels
import Llama
import SplitLearning

/// Membership by how the server's blocks attend: a text that was fine-tuned on is attended more surely and more alike from block to block. The attacker
/// learns the difference on a shadow model, of which it knows the fine-tuning texts.
package struct MembershipAttention: InferenceAttack {
  package static let description = MethodDescription(
    name: "membership-attention", summary: "was the document fine-tuned on: entropy and divergence of the server's attention maps",
    paper: "AttenMIA (arXiv 2601.18110)",
    deviations: "recorded blocks and heads only; one shadow model; logistic regression; perturbation features are left out",
    cost: "a fine-tuning like the victim's (kept), then a forward of the public text up to the last recorded block", knowledge: .k1,
    channels: [.attentionMaps, .inputHiddenStates], occasion: .membership,
    settings: [
      "penalty": "L2 penalty of the standardised weights, default 0.1", "passages": "public passages that it learns on, default 160",
    ])

  package static let rules: [String: SettingRule] = ["penalty": .number(0...1_000), "passages": .integer(4...10_000)]
  package static let needs: Set<InferenceNeed> = [.shadow]

  private let penalty: Double
  private let passages: Int

  package init(_ settings: [String: SettingValue]) throws {
    let reader = SettingReader(settings, of: Self.description.name)
    penalty = try reader.real("penalty", default: 0.1, in: 0...1_000)
    passages = try reader.integer("passages", default: 160, in: 4...10_000)
  }

  package func infer(_ view: AdversaryView, with means: InferenceMeans, progress: (Double) throws -> Void) throws -> [InferenceAnswer] {
    let maps = try view.required(.attentionMaps, by: Self.description.name)
    try view.requireKnownNoise(by: Self.description.name)
    guard let shadow = means.shadow, shadow.isMember.contains(true), shadow.isMember.contains(false) else {
      throw Fault(
        .invalidData, "\(Self.description.name) learns on a fine-tuning of its own, and there is none",
        hint: "it needs victim and threat_model.auxiliary in the plan")
    }
    let heads = maps.heads.isEmpty ? Array(0..<shadow.model.configuration.heads) : maps.heads
    let blocks = maps.blocks
    let width = maps.values.columns / max(1, blocks.count * heads.count)
    let configuration = shadow.model.configuration
    guard !blocks.isEmpty, width > 0, maps.values.columns == blocks.count * heads.count * width,
      blocks.allSatisfy((view.partition.input..<max(view.partition.input, configuration.blocks)).contains),
      heads.allSatisfy((0..<configuration.heads).contains)
    else {
      throw Fault(
        .invalidData, "attention maps of \(maps.values.columns) columns are not of blocks \(blocks) and heads \(heads) of this model")
    }
    let documents = (0..<view.documents).map { d in
      let rows = view.range(of: d)
      return AttentionFeatures.of(length: min(rows.count, width), blocks: blocks.count, heads: heads.count) { b, h, t in
        let first = (rows.lowerBound + t) * maps.values.columns + (b * heads.count + h) * width
        return maps.values.values[first..<first + t + 1]
      }
    }
    var examples: [[Double]] = []
    let auxiliary = means.attacker.auxiliary
    // As many members as others, first ones first: the shadow may have been fine-tuned on a few passages only.
    let groups = Dictionary(grouping: auxiliary.indices.filter { !auxiliary[$0].isEmpty }, by: { shadow.isMember[$0] })
    let kept = [true, false].flatMap { (groups[$0] ?? []).prefix(passages / 2) }
    for (k, i) in kept.enumerated() {
      examples.append(Self.features(auxiliary[i], number: i, shadow.model, view, blocks: blocks, heads: heads, means.attacker))
      try progress(Double(k + 1) / Double(kept.count))
    }
    let model = LogisticRegression(examples, labels: kept.map { shadow.isMember[$0] }, penalty: penalty)
    return [InferenceAnswer(.membership, .scores(documents.map(model.score), threshold: 0))]
  }

  /// The features of a public text in the shadow model, sent under the noise that the view states.
  private static func features(
    _ text: [Int32], number: Int, _ model: LlamaModel, _ view: AdversaryView, blocks: [Int], heads: [Int], _ means: AttackerMeans
  ) -> [Double] {
    var own = means
    own.model = model
    let (_, sent) = own.sent([text], inputBlocks: view.partition.input, under: view.inputNoise, number: number, stream: "attention")
    var found: [Int: Matrix] = [:]
    let probe = ActivationProbe(
      wants: { $0.tensor == .map && blocks.contains($0.block) }, record: { point, matrix in found[point.block] = matrix })
    let stack = model.stack[view.partition.input..<min(model.configuration.blocks, (blocks.max() ?? 0) + 1)]
    var caches = [stack.emptyCache()]
    _ = stack.forward(sent, PackedBatch(lengths: [text.count]), caches: &caches, probe: probe)
    return AttentionFeatures.of(length: text.count, blocks: blocks.count, heads: heads.count) { b, h, t in
      found[blocks[b]].map { $0[row: heads[h] * text.count + t].prefix(t + 1) } ?? []
    }
  }
}

/// What of a document's attention maps tells members apart, all means over its positions.
enum AttentionFeatures {
  /// Per block and head: entropy over its largest value, largest probability, probability of the first position, divergence from the block's mean
  /// head; per pair of consecutive blocks: divergence of their mean heads.
  /// - Parameter row: probabilities of positions 0...t that block b, head h attends from position t.
  static func of(length: Int, blocks: Int, heads: Int, row: (Int, Int, Int) -> ArraySlice<Float>) -> [Double] {
    var perHead = [Double](repeating: 0, count: blocks * heads * 4)
    var between = [Double](repeating: 0, count: max(0, blocks - 1))
    // The first position attends to itself alone.
    let counted = Double(max(1, length - 1))
    for t in 1..<max(1, length) {
      var previous: [Double] = []
      for b in 0..<blocks {
        let rows = (0..<heads).map { row(b, $0, t).map { max(Double($0), 1e-12) } }
        let mean = (0...t).map { j in rows.reduce(0.0) { $0 + $1[j] } / Double(heads) }
        for (h, p) in rows.enumerated() {
          let place = (b * heads + h) * 4
          perHead[place] -= p.reduce(0.0) { $0 + $1 * log($1) } / log(Double(t + 1)) / counted
          perHead[place + 1] += (p.max() ?? 0) / counted
          perHead[place + 2] += p[0] / counted
          perHead[place + 3] += divergence(p, mean) / counted
        }
        if b > 0 { between[b - 1] += divergence(previous, mean) / counted }
        previous = mean
      }
    }
    return perHead + between
  }

  /// Σ p ln(p / q), nats.
  private static func divergence(_ p: [Double], _ q: [Double]) -> Double { zip(p, q).reduce(0.0) { $0 + $1.0 * log($1.0 / $1.1) } }
}
