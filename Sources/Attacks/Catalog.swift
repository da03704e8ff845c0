package import Audit
import Diagnostics

/// Every attack of the toolkit, baselines first. Adding one: its file, and its line here.
package enum AttackCatalog {
  package static let all: [any Attack.Type] = [
    UniformGuess.self,
    UnigramGuess.self,
    LanguageModelGuess.self,
    ShuffledInverter.self,
    NearestEmbedding.self,
    HeadReading.self,
    Anchors.self,
    SequentialMatching.self,
    Averaging.self,
    RelaxedVocabulary.self,
    FreeEmbedding.self,
    SubspaceInversion.self,
    LearnedInverter.self,
    NoiseAdaptiveInverter.self,
    AttentionDecoder.self,
    PooledInverter.self,
    CacheInversion.self,
    CacheCollision.self,
    CacheInjection.self,
    ResponseReading.self,
    MapPositionControl.self,
    MapInverter.self,
    LabelMatching.self,
    GradientMatching.self,
    BidirectionalMatching.self,
    GradientSpan.self,
  ]

  package static var names: [String] { all.map { $0.description.name } }

  /// The attack called `name` with `settings`; a fault with the nearest name if there is none, or with the nearest key for an unknown setting.
  package static func make(_ name: String, settings: [String: SettingValue]) throws -> any Attack {
    guard let type = all.first(where: { $0.description.name == name }) else {
      throw Fault(.invalidData, "unknown attack \"\(name)\"", hint: nameHint(name, among: names))
    }
    if let unknown = settings.keys.sorted().first(where: { type.description.settings[$0] == nil }) {
      throw Fault(
        .invalidData, "attack \"\(name)\" has no setting \"\(unknown)\"",
        hint: nameHint(unknown, among: type.description.settings.keys.sorted()))
    }
    return try type.init(settings)
  }
}
