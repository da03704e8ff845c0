package import Audit
import Datasets
package import Fetching
package import Tokenizers

/// The public text of a plan: what the attacker may learn from, and what noise is calibrated on.
package enum PublicText {
  /// Passages of the auxiliary split, never from a source that private documents may come from.
  private static let count = 400

  /// Token ids of the passages; empty when the plan grants no public text. Randomness: `seed`.
  package static func passages(_ plan: AuditPlan, seed: Int, tokenizer: any Tokenizer, store: ArtifactStore) throws -> [[Int32]] {
    try documents(plan, seed: seed, tokenizer: tokenizer, store: store).map { tokenizer.encode($0.text, parsingSpecial: false) }
  }

  /// The kind of source of each passage, nil where the data set has one kind only.
  static func attributes(_ plan: AuditPlan, seed: Int, tokenizer: any Tokenizer, store: ArtifactStore) throws -> [String?] {
    try documents(plan, seed: seed, tokenizer: tokenizer, store: store).map(\.attribute)
  }

  private static func documents(_ plan: AuditPlan, seed: Int, tokenizer: any Tokenizer, store: ArtifactStore) throws -> [TextDocument] {
    guard let name = plan.threatModel.auxiliary else { return [] }
    let sampling = PassageSampling(count: count, minTokens: plan.dataset.minTokens, maxTokens: plan.dataset.maxTokens, seed: UInt64(seed))
    return try DatasetCatalog.dataset(named: name)
      .documents(.public, in: store, sampling: sampling, tokenize: { tokenizer.encode($0, parsingSpecial: false) }).documents
  }
}
