package import Audit
import Diagnostics

/// Every defense of the toolkit. Adding one: its file, and its line here.
package enum DefenseCatalog {
  package static let all: [any Defense.Type] = [
    NoDefense.self,
    GaussianNoise.self,
    LaplaceNoise.self,
    Quantization.self,
    Sparsification.self,
    ChannelPermutation.self,
    StateRotation.self,
    SequencePermutation.self,
    FactorizedPermutation.self,
  ]

  package static var names: [String] { all.map { $0.description.name } }

  /// The defense that a plan describes; a fault with the nearest name if there is none.
  package static func make(_ plan: DefensePlan) throws -> any Defense {
    guard let type = all.first(where: { $0.description.name == plan.name }) else {
      throw Fault(.invalidData, "unknown defense \"\(plan.name)\"", hint: nameHint(plan.name, among: names))
    }
    return try type.init(plan)
  }
}
