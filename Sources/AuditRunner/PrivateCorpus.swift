package import Audit
import Datasets
import Diagnostics
package import Fetching
import Foundation
import Kernels
package import PrivateText
package import Tokenizers

/// The private documents of a run, and the public text that the attacker may learn from.
package struct PrivateCorpus: Sendable {
  package let documents: [PrivateDocument]
  /// What the client sends, one after another: indices into `documents`, each `repeats` times, in a seeded order; as they come when sent once.
  package let sends: [Int]
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
    var documents = set.documents.map { PrivateDocument.tokenized($0, tokenizer, lost: &lost) }
    if let share = plan.dataset.members {
      let marks = Membership.marks(documents.map(\.attribute), share: share, seed: Self.textSeed)
      for (index, mark) in marks.enumerated() { documents[index].isMember = mark }
    }
    self.documents = documents
    var order = Array(documents.indices)
    if plan.dataset.repeats > 1 {
      var generator = CounterRandom(seed: UInt64(Self.textSeed), stream: "sends").generator()
      order = [[Int]](repeating: order, count: plan.dataset.repeats).flatMap { $0 }.shuffled(using: &generator)
    }
    sends = order
    guard !documents.isEmpty else {
      throw Fault(.invalidData, "the data set \(set.name) has no document of \(plan.dataset.minTokens) to \(plan.dataset.maxTokens) tokens")
    }
    description = DatasetDescription(
      name: set.name, sha256: set.sha256, documents: documents.count, tokens: documents.reduce(0) { $0 + $1.tokens.count })
    warnings =
      set.warnings + (lost == 0 ? [] : ["\(lost) marked entities of \(set.name) are not scored: the tokenizer changes their text"])
    auxiliary = try PublicText.passages(plan, seed: Self.textSeed, tokenizer: tokenizer, store: store)
  }

  /// What the victim is fine-tuned on: other text of the source under attack (passages drawn with another seed; of a file, the file itself); where
  /// the plan has members among the documents, these and passages that overlap no document (of a file, these alone).
  package static func victimTexts(_ plan: AuditPlan, tokenizer: any Tokenizer, store: ArtifactStore) throws -> [[Int32]] {
    let tokenize: Tokenize = { tokenizer.encode($0, parsingSpecial: false) }
    var wanted = plan.dataset
    let others = plan.victim?.passages ?? VictimPlan.defaultPassages
    if let share = plan.dataset.members {
      // One draw, so that no other passage overlaps a document: the documents come first in it, whatever comes after.
      if case .named = wanted.source { wanted.limit = (wanted.limit ?? 100) + others }
      let all = try documents(wanted, seed: textSeed, store: store, tokenize: tokenize).documents
      let attacked = all.prefix(plan.dataset.limit ?? all.count)
      let marks = Membership.marks(attacked.map(\.attribute), share: share, seed: textSeed)
      return try (zip(attacked, marks).filter(\.1).map(\.0) + all.dropFirst(attacked.count)).map { try tokenize($0.text) }
    }
    if case .named = wanted.source { wanted.limit = others }
    return try documents(wanted, seed: textSeed + 1_000, store: store, tokenize: tokenize).documents.map { try tokenize($0.text) }
  }

  /// The documents in the order in which they are sent.
  package var sent: [PrivateDocument] { sends.map { documents[$0] } }

  /// What a reconstruction of all sends says of each document: that of its first send.
  package func ofFirstSends(_ found: Reconstruction) throws -> Reconstruction {
    guard sends.count != documents.count else { return found }
    guard found.tokens.count == sends.count else {
      throw Fault(.invalidData, "the guesses are of \(found.tokens.count) documents, \(sends.count) were sent")
    }
    let firsts = documents.indices.map { sends.firstIndex(of: $0) ?? 0 }
    var out = Reconstruction(tokens: firsts.map { found.tokens[$0] }, cost: found.cost)
    guard let posterior = found.posterior else { return out }
    let offsets = found.tokens.reduce(into: [0]) { $0.append($0.last! + $1.count) }
    guard posterior.positions == offsets.last else {
      throw Fault(.invalidData, "the posterior is of \(posterior.positions) positions, the guesses of \(offsets.last ?? 0)")
    }
    let rows = firsts.flatMap { offsets[$0]..<offsets[$0 + 1] }
    let w = posterior.width
    out.posterior = TokenPosterior(
      width: w, ids: rows.flatMap { posterior.ids[$0 * w..<($0 + 1) * w] },
      logProbabilities: rows.flatMap { posterior.logProbabilities[$0 * w..<($0 + 1) * w] },
      restLogProbability: rows.map { posterior.restLogProbability[$0] })
    return out
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
