import Attacks
package import Audit
import Datasets
import Defenses
package import Fetching
import Foundation
import LeakageMetrics

/// All names that a plan may use, gathered from the catalogs.
package enum Catalogs {
  package static func names(in store: ArtifactStore) throws -> KnownNames {
    let rules = AttackRoster.rules
    return KnownNames(
      checkpoints: try store.list().filter { $0.kind == .checkpoint }.map(\.name), datasets: DatasetCatalog.splits,
      defenses: Dictionary(
        uniqueKeysWithValues: DefenseCatalog.all.map { ($0.description.name, KnownMethod(settings: $0.rules, takesNoise: $0.takesNoise)) }),
      attacks: Dictionary(
        uniqueKeysWithValues: AttackRoster.descriptions.map {
          ($0.name, KnownMethod(settings: rules[$0.name], roles: $0.roles, isBlackBox: $0.knowledge == .k0))
        }),
      metrics: MetricCatalog.all.map(\.descriptor.name),
      inference: InferenceCatalog.rules.mapValues { KnownMethod(settings: $0) })
  }
}

/// The version that goes into records and dumps.
package enum Version {
  package static let current = "0.1.0"
}
