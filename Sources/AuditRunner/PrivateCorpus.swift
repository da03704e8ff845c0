package import Audit
import Datasets
import Diagnostics
package import Fetching
import Foundation
package import PrivateText
package import Tokenizers

/// The private documents of a run, and the public text that the attacker may learn from.
package struct PrivateCorpus: Sendable {
  package let documents: [PrivateDocument]
  package let auxiliary: [[Int32]]
  package let description: DatasetDescription
  package let warnings: [String]

  /// The texts are the same under every seed of a plan, so that cells of different seeds differ in their noise alone.
  static let textSeed = 1

  /// Draws or reads the documents that a plan asks for: passages of a named data set, always the same ones, or a file in its order.
  package init(_ plan: AuditPlan, tokenizer: any Tokenizer, store: ArtifactStore) throws {
    let tokenize: Tokenize = { tokenizer.encode($0, parsingSpecial: false) }
    let set = try Self.documents(plan.dataset, seed: Self.textSeed, store: store, tokenize: tokenize)
    var lost = 0
    documents = set.documents.map { PrivateDocument.tokenized($0, tokenizer, lost: &lost) }
    guard !documents.isEmpty else {
      throw Fault(.invalidData, "the data set \(set.name) has no document of \(plan.dataset.minTokens) to \(plan.dataset.maxTokens) tokens")
    }
    description = DatasetDescription(
      name: set.name, sha256: set.sha256, documents: documents.count, tokens: documents.reduce(0) { $0 + $1.tokens.count })
    warnings =
      set.warnings + (lost == 0 ? [] : ["\(lost) marked entities of \(set.name) are not scored: the tokenizer changes their text"])
    auxiliary = try PublicText.passages(plan, seed: Self.textSeed, tokenizer: tokenizer, store: store)
  }

  private static func documents(_ plan: DatasetPlan, seed: Int, store: ArtifactStore, tokenize: Tokenize) throws -> DocumentSet {
    switch plan.source {
    case .file(let path, let column):
      return try TextFile(path: path, column: column).documents(
        limit: plan.limit, minTokens: plan.minTokens, maxTokens: plan.maxTokens, tokenize: tokenize)
    case .named(let name, let split):
      guard let split = SourceSplit(rawValue: split) else { throw Fault(.invalidData, "data set \(name) has no split \"\(split)\"") }
      let sampling = PassageSampling(count: plan.limit ?? 100, minTokens: plan.minTokens, maxTokens: plan.maxTokens, seed: UInt64(seed))
      return try DatasetCatalog.dataset(named: name).documents(split, in: store, sampling: sampling, tokenize: tokenize)
    }
  }
}
