import Attacks
package import Audit
package import Fetching
import Llama
import PrivateText

/// What inference attacks need beside the attacker's means, made when it is first asked for and kept for all cells of a seed.
package final class InferenceMaterial {
  private let plan: AuditPlan
  private let loaded: LoadedModel
  private let store: ArtifactStore
  private let corpus: PrivateCorpus
  private var shadow: ShadowModel?
  private var classes: (names: [String], passages: [Int])?

  package init(_ plan: AuditPlan, loaded: LoadedModel, corpus: PrivateCorpus, store: ArtifactStore) {
    (self.plan, self.loaded, self.corpus, self.store) = (plan, loaded, corpus, store)
  }

  /// The means of an attack with `needs`. Throws as reading the public text and fine-tuning do, and what `progress` throws.
  func means(_ attacker: AttackerMeans, needs: Set<InferenceNeed>, progress: (Double) throws -> Void) throws -> InferenceMeans {
    InferenceMeans(
      attacker: attacker, publicModel: loaded.model, shadow: needs.contains(.shadow) ? try shadowModel(progress) : nil,
      attributes: needs.contains(.attributes) ? try attributes().passages : nil)
  }

  /// Names of the classes, class 0 first; empty where the public text has no two kinds.
  func attributeNames() throws -> [String] { try attributes().names }

  private func attributes() throws -> (names: [String], passages: [Int]?) {
    if let classes { return classes }
    let found = try PublicText.attributes(plan, seed: PrivateCorpus.textSeed, tokenizer: loaded.tokenizer, store: store)
    let names = Set(found.compactMap { $0 }).sorted()
    guard names.count > 1, !found.contains(nil) else { return ([], nil) }
    let indices = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
    let made = (names, found.compactMap { $0.flatMap { indices[$0] } })
    classes = made
    return made
  }

  /// A fine-tuning like the victim's on half of the public passages, or on as many as the victim had; nil where the victim has not fine-tuned.
  private func shadowModel(_ progress: (Double) throws -> Void) throws -> ShadowModel? {
    guard let victim = plan.victim else { return nil }
    if let shadow { return shadow }
    let auxiliary = corpus.auxiliary
    var left = corpus.documents.count { $0.isMember == true } + victim.passages
    // By pairs: kinds of source come by turns in some data sets, and both must be on both sides.
    let isMember = auxiliary.indices.map { i -> Bool in
      guard (i / 2).isMultiple(of: 2), left > 0 else { return false }
      left -= 1
      return true
    }
    let texts = auxiliary.indices.filter { isMember[$0] }.map { auxiliary[$0] }
    let model = try Victim.model(.shadow, plan, loaded: loaded, store: store, auxiliary: texts, progress: progress)
    let made = ShadowModel(model: model, isMember: isMember)
    shadow = made
    return made
  }
}
