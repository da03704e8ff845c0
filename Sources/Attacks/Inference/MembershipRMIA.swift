package import Audit
import Checkpoints
import Diagnostics
import Foundation
import Kernels
import Llama

/// RMIA: a member's likelihood, relative to models that did not see it, is above that of most texts of the population:
///
///     Λ(x, z) = (p_θ(x) / p(x)) / (p_θ(z) / p(z)),   score = share of the z with Λ(x, z) ≥ γ
///
/// p_θ is the victim's model, p the mean over reference models: the public checkpoint and one that the attacker fine-tuned on public text, which never
/// saw x. p(·) of a text is per token (its geometric mean), so that texts of different lengths compare.
package struct MembershipRMIA: InferenceAttack {
  package static let description = MethodDescription(
    name: "membership-rmia", summary: "was the document fine-tuned on: its likelihood ratio against those of population texts",
    paper: "RMIA, Zarifzadeh, Liu and Shokri, ICML 2024 (offline: reference models that did not see the document)",
    deviations: "two reference models, the public one and a shadow; likelihood per token; the text is read from the states first",
    cost: "a fine-tuning like the victim's (kept), then three model forwards a document and a population text", knowledge: .k2,
    channels: [.inputHiddenStates], occasion: .membership,
    settings: ["gamma": "γ, how much a text must exceed another, default 1", "population": "public texts compared with, default 100"])

  package static let rules: [String: SettingRule] = ["gamma": .number(0.1...100), "population": .integer(2...10_000)]
  package static let needs: Set<InferenceNeed> = [.shadow]

  private let gamma: Double
  private let population: Int

  package init(_ settings: [String: SettingValue]) throws {
    let reader = SettingReader(settings, of: Self.description.name)
    gamma = try reader.real("gamma", default: 1, in: 0.1...100)
    population = try reader.integer("population", default: 100, in: 2...10_000)
  }

  package func infer(_ view: AdversaryView, with means: InferenceMeans, progress: (Double) throws -> Void) throws -> [InferenceAnswer] {
    guard means.attacker.knowledge >= .k2 else {
      throw Fault(.invalidData, "\(Self.description.name) evaluates the victim's model on its own texts: it needs K2")
    }
    let auxiliary = means.attacker.auxiliary
    // The shadow model has seen its members, so their ratio would be off.
    let unseen = auxiliary.indices.filter { auxiliary[$0].count > 1 && means.shadow?.isMember[$0] != true }
    let others = unseen.prefix(population).map { auxiliary[$0] }
    guard !others.isEmpty else {
      throw Fault(.invalidData, "\(Self.description.name) needs public text", hint: "threat_model.auxiliary")
    }
    let texts = try Reading.texts(view, Self.description.name, means.attacker) { try progress(0.6 * $0) }
    let references = [means.publicModel] + (means.shadow.map { [$0.model] } ?? [])
    // The same in all cells of a run: it depends on weights and public text only.
    let baseline = means.attacker.memory.table("inference/rmia/\(population)") {
      Self.ratios(others, means.attacker.model, references).sorted()
    }
    try progress(0.8)
    let own = Self.ratios(texts, means.attacker.model, references)
    // Share of the population below; among equals the ratio itself decides, far below one part of the population.
    let scores = own.map { ratio in
      let bound = ratio - log(gamma)
      var (low, high) = (0, baseline.count)
      while low < high {
        let middle = (low + high) / 2
        if baseline[middle] <= bound { low = middle + 1 } else { high = middle }
      }
      return Double(low) / Double(baseline.count) + 1e-6 * tanh(ratio)
    }
    return [InferenceAnswer(.membership, .scores(scores, threshold: nil))]
  }

  /// ln p_θ(x) − ln p(x) per token, with p the mean over the references.
  static func ratios(_ texts: [[Int32]], _ model: LlamaModel, _ references: [LlamaModel]) -> [Double] {
    let own = DocumentLoss.of(texts, model)
    let others = references.map { DocumentLoss.of(texts, $0) }
    return texts.indices.map { i in
      // Of differences, so that the victim's model as its own reference gives exactly 0.
      -log(others.reduce(0.0) { $0 + exp(min(own[i] - $1[i], 700)) } / Double(others.count))
    }
  }
}
