import Tokenizers
import Attacks
import Checkpoints
import Diagnostics
import SplitLearning
package import Audit
package import Fetching
import LeakageMetrics
package import Llama
package import Privacy
package import PrivateText

/// What all cells of one seed share: the documents, the attacker's means, the scorer, and statistics per cut.
package final class Workbench {
  package let loaded: LoadedModel
  package let corpus: PrivateCorpus
  package let means: AttackerMeans
  /// The model that the victim runs.
  package let victim: LlamaModel
  /// At K3, or where another client is the adversary: a client that shares its text and what it sent; its own fine-tuning differs from the victim's.
  private let colluder: LlamaModel?
  /// Passages of the colluding client.
  private static let collusionPassages = 300
  package let scoring: Scoring
  package let inference: InferenceMaterial
  private var statistics: [Int: StateStatistics] = [:]

  /// - Parameter memory: shared by the benches of one plan: what it holds depends on public data alone.
  package init(
    _ plan: AuditPlan, seed: Int, loaded: LoadedModel, store: ArtifactStore, memory: AttackerMemory = AttackerMemory(),
    progress: (String, Double) throws -> Void = { _, _ in }
  ) throws {
    self.loaded = loaded
    corpus = try PrivateCorpus(plan, tokenizer: loaded.tokenizer, store: store)
    try loaded.requireRoom(for: (corpus.documents.map(\.tokens.count).max() ?? 0) + plan.dataset.responses)
    inference = InferenceMaterial(plan, loaded: loaded, corpus: corpus, store: store)
    let knowledge = plan.threatModel.knowledge
    victim = try Victim.model(.victim, plan, loaded: loaded, store: store, auxiliary: corpus.auxiliary) { try progress("victim", $0) }
    colluder =
      plan.threatModel.hasLabelledPairs
      ? try Victim.model(.colluder, plan, loaded: loaded, store: store, auxiliary: corpus.auxiliary) { try progress("colluder", $0) } : nil
    means = AttackerMeans(
      model: knowledge < .k2 ? loaded.model : victim, auxiliary: corpus.auxiliary, excluded: loaded.excludedTokens,
      seed: UInt64(seed), memory: memory, knowledge: knowledge, inverters: try InverterStore(loaded, in: store, for: plan),
      encode: { [tokenizer = loaded.tokenizer] in tokenizer.encode($0) })
    scoring = try Self.scoring(of: corpus.documents, plan, loaded, means)
  }

  /// The exchange of a cell: the victim's model, whoever attacks or dumps.
  package func setting(_ cell: PlanCell, _ defense: PreparedDefense) -> SplitExchange.Setting {
    SplitExchange.Setting(cell.plan, victim, defense, seed: cell.seed)
  }

  /// What the client sends in a cell, again and again if the plan says so, into view.h5.
  package func dump(
    _ cell: PlanCell, _ setting: SplitExchange.Setting, identity: ViewIdentity, to path: String, precision: ViewPrecision = .f32,
    progress: (Double) throws -> Void
  ) throws -> SplitExchange {
    try SplitExchange.dump(
      corpus.sent, setting, identity: identity, to: path, withholdsNoise: cell.plan.threatModel.noise == .withheld, precision: precision,
      decode: loaded.tokenizer.decode, progress: progress)
  }

  /// A scorer of documents that belong to one cell.
  package func scoring(of documents: [PrivateDocument], _ plan: AuditPlan) throws -> Scoring {
    try Self.scoring(of: documents, plan, loaded, means)
  }

  private static func scoring(
    of documents: [PrivateDocument], _ plan: AuditPlan, _ loaded: LoadedModel, _ means: AttackerMeans
  ) throws -> Scoring {
    Scoring(
      documents, priors: TruthPrior.logProbabilities(documents, model: loaded.model, means),
      metrics: try plan.metrics.map(MetricCatalog.named), tokenizer: loaded.tokenizer, seed: means.seed, publicText: means.auxiliary,
      vocabularySize: loaded.model.configuration.vocabularySize)
  }

  /// Statistics of the states at the cut after `inputBlocks` blocks, on public text.
  package func statistics(inputBlocks: Int) throws -> StateStatistics {
    if let known = statistics[inputBlocks] { return known }
    guard !corpus.auxiliary.isEmpty else {
      throw Fault(
        .invalidData, "a run needs public text: noise, margins and attacks are measured on it",
        hint: "threat_model.auxiliary: state-of-the-union")
    }
    let made = try SplitExchange.statistics(corpus.auxiliary, model: victim, inputBlocks: inputBlocks)
    statistics[inputBlocks] = made
    return made
  }

  /// The attacker's means in one cell, with what a colluding client sent through the same cut and defense.
  package func means(inputBlocks: Int, defense: PreparedDefense) -> AttackerMeans {
    guard let colluder else { return means }
    let passages = Array(corpus.auxiliary.prefix(Self.collusionPassages))
    var own = means
    own.model = colluder
    let clean = own.states(of: passages, inputBlocks: inputBlocks)
    // Sequence names that no private document has, so that no draw of noise is shared.
    let ids = passages.indices.flatMap { i in passages[i].map { _ in UInt64(i) | 1 << 31 } }
    let sent = defense.protector.protect(clean, sequences: ids, positions: passages.flatMap(\.indices))
    var out = means
    out.collusion = LabelledStates(passages: passages, states: sent)
    return out
  }
}
