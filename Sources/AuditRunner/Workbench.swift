import Tokenizers
import Attacks
package import Audit
package import Fetching
import LeakageMetrics
import Llama
package import Privacy

/// What all cells of one seed share: the documents, the attacker's means, the scorer, and statistics per cut.
package final class Workbench {
  package let loaded: LoadedModel
  package let corpus: PrivateCorpus
  package let means: AttackerMeans
  package let scoring: Scoring
  private var statistics: [Int: StateStatistics] = [:]

  package init(_ plan: AuditPlan, seed: Int, loaded: LoadedModel, store: ArtifactStore) throws {
    self.loaded = loaded
    corpus = try PrivateCorpus(plan, tokenizer: loaded.tokenizer, store: store)
    means = AttackerMeans(
      model: loaded.model, auxiliary: corpus.auxiliary, excluded: loaded.tokenizer.specialTokens, seed: UInt64(seed),
      memory: AttackerMemory(), inverters: InverterStore(loaded, in: store))
    scoring = Scoring(
      corpus.documents, priors: TruthPrior.logProbabilities(corpus.documents, means), metrics: try plan.metrics.map(MetricCatalog.named),
      tokenizer: loaded.tokenizer, seed: UInt64(seed))
  }

  /// Statistics of the states at the cut after `inputBlocks` blocks, on public text.
  package func statistics(inputBlocks: Int) throws -> StateStatistics {
    if let known = statistics[inputBlocks] { return known }
    let made = try SplitExchange.statistics(corpus.auxiliary, model: loaded.model, inputBlocks: inputBlocks)
    statistics[inputBlocks] = made
    return made
  }
}
