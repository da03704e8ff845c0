package import Audit
import Diagnostics

/// Every inference attack of the toolkit. Adding one: its file, and its line here.
package enum InferenceCatalog {
  package static let all: [any InferenceAttack.Type] = [
    CandidateLikelihoodRatio.self,
    MembershipLoss.self,
    MembershipRMIA.self,
    MembershipAttention.self,
    AttributeInference.self,
    MetadataLength.self,
    MetadataTemplate.self,
    MetadataAnswer.self,
    ZeroRowDecoy.self,
  ]

  package static var descriptions: [MethodDescription] { all.map { $0.description } }

  package static var rules: [String: [String: SettingRule]] {
    Dictionary(uniqueKeysWithValues: all.map { ($0.description.name, $0.rules) })
  }

  /// The attack called `name` with `settings`; a fault with the nearest name if there is none, or with the nearest key for an unknown setting.
  package static func make(_ name: String, settings: [String: SettingValue] = [:]) throws -> any InferenceAttack {
    guard let type = all.first(where: { $0.description.name == name }) else {
      throw Fault(.invalidData, "unknown inference attack \"\(name)\"", hint: nameHint(name, among: all.map { $0.description.name }))
    }
    if let unknown = settings.keys.sorted().first(where: { type.description.settings[$0] == nil }) {
      throw Fault(
        .invalidData, "inference attack \"\(name)\" has no setting \"\(unknown)\"",
        hint: nameHint(unknown, among: type.description.settings.keys.sorted()))
    }
    return try type.init(settings)
  }
}
