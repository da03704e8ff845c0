import Tokenizers
import Attacks
package import Audit
import Datasets
package import Fetching
import Llama

/// The means of an attacker who works offline from a dump: weights and public text, no private data set is opened.
package enum AttackerPreparation {
  package static func means(_ plan: AuditPlan, loaded: LoadedModel, store: ArtifactStore) throws -> AttackerMeans {
    let seed = plan.seeds.first ?? 1
    return AttackerMeans(
      model: plan.threatModel.knowledge < .k2 ? loaded.model : try Victim.stored(plan, loaded: loaded, store: store),
      auxiliary: try PublicText.passages(plan, seed: PrivateCorpus.textSeed, tokenizer: loaded.tokenizer, store: store),
      excluded: loaded.excludedTokens, seed: UInt64(seed), memory: AttackerMemory(),
      knowledge: plan.threatModel.knowledge, inverters: try InverterStore(loaded, in: store, for: plan),
      encode: { [tokenizer = loaded.tokenizer] in tokenizer.encode($0) })
  }
}
