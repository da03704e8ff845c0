import ArgumentParser
import Attacks
import AuditRunner
import Audit
import Datasets
import Defenses
import Diagnostics
import Fetching
import LeakageMetrics
import Reports

/// `list KIND`: what there is to use in a plan.
struct ListCommand: ParsableCommand {
  enum Kind: String, ExpressibleByArgument, CaseIterable { case attacks, inference, defenses, metrics, datasets, checkpoints }

  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Lists attacks, inference attacks, defenses, metrics, data sets or checkpoints.")

  @Argument(help: "attacks, inference, defenses, metrics, datasets or checkpoints.")
  var kind: Kind

  @Option var format: OutputFormat = .text
  @OptionGroup var workspace: WorkspaceOptions

  private struct Item: Encodable {
    var name: String
    var summary: String
    var details: [String: String]
  }

  func run() throws {
    let items = try self.items()
    if format == .json { return try Output.json(items) }
    for item in items {
      try Output.write("\(escapingControls(item.name))\n  \(escapingControls(item.summary))\n")
      for (key, value) in item.details.sorted(by: Self.inReadingOrder) where !value.isEmpty {
        try Output.write("  \(escapingControls(key)): \(escapingControls(value))\n")
      }
    }
  }

  /// Who can run it, what it follows, what it costs, then settings and the rest by name.
  private static func inReadingOrder(_ a: (key: String, value: String), _ b: (key: String, value: String)) -> Bool {
    func rank(_ key: String) -> Int {
      ["threat model", "reads", "occasion", "family", "control", "paper", "deviations", "cost"].firstIndex(of: key)
        ?? (key.hasPrefix("setting") ? 50 : 10)
    }
    return (rank(a.key), a.key) < (rank(b.key), b.key)
  }

  private static let knowledge: [ThreatModel.Knowledge: String] = [
    .k0: "K0, no weights of the client", .k1: "K1, the public base weights of the client's blocks", .k2: "K2, the client's exact weights",
    .k3: "K3, exact weights, labelled pairs of a colluding client, and the noise law",
  ]

  private static let families: [MethodDescription.Family: String] = [
    .architecture: "attention (a): a network of attention blocks reads states",
    .maps: "attention (b): attention maps alone",
    .algebraic: "attention (c): queries, keys and values solved for the state",
    .collision: "attention (d): candidates collide with a cache",
    .gradient: "attention (e): closed forms of attention gradients",
    .injection: "attention (f): injection into a captured cache",
  ]

  private static let occasions: [MethodDescription.Occasion: String] = [
    .repeatedSends: "texts that are sent more than once (dataset.repeats)",
    .membership: "documents that were fine-tuned on (dataset.members)",
    .templates: "prompts made from known templates (dataset.name: presidio-templates)",
    .answers: "a model that answers (dataset.responses)",
  ]

  private func items() throws -> [Item] {
    switch kind {
    case .attacks: return AttackRoster.descriptions.map(Self.item)
    case .inference: return InferenceCatalog.descriptions.map(Self.item)
    case .defenses: return DefenseCatalog.all.map { Self.item($0.description) }
    case .metrics:
      return MetricCatalog.all.map(\.descriptor).map {
        Item(
          name: $0.name, summary: $0.summary,
          details: ["definition": $0.definition, "unit": $0.unit, "leaks more": $0.higherLeaksMore ? "when higher" : "when lower"])
      }
    case .datasets:
      return DatasetCatalog.all.map { set in
        switch set.manifests.count {
        case 0: Item(name: set.name, summary: set.summary, details: ["licence": "Apache-2.0", "fetched": "generated, nothing to fetch"])
        case 1: Item(name: set.name, summary: set.summary, details: details(set.manifests[0]))
        default:
          Item(
            name: set.name, summary: set.summary,
            details: [
              "licence": Set(set.manifests.map(\.licence)).sorted().joined(separator: " AND "),
              "package": set.manifests.map { "\($0.source.package) \($0.source.version)" }.joined(separator: ", "),
              "fetched": set.manifests.map(fetched).contains { $0 != "yes" } ? "no: fedsea-audit fetch dataset \(set.name)" : "yes",
            ])
        }
      }
        + TaskDataCatalog.all.map { set in
          Item(name: set.name, summary: set.summary, details: details(set.manifest).merging(["for": "training, task \(set.task)"]) { $1 })
        }
    case .checkpoints:
      return try workspace.store.list().filter { $0.kind == .checkpoint }.map {
        Item(name: $0.name, summary: $0.description, details: details($0))
      }
    }
  }

  private func details(_ manifest: ArtifactManifest) -> [String: String] {
    [
      "licence": manifest.licence, "package": "\(manifest.source.package) \(manifest.source.version)", "fetched": fetched(manifest),
    ]
  }

  private func fetched(_ manifest: ArtifactManifest) -> String {
    (try? workspace.store.path(of: manifest)) == nil ? "no: fedsea-audit fetch \(manifest.kind.rawValue) \(manifest.name)" : "yes"
  }

  private static func item(_ d: MethodDescription) -> Item {
    var details = [
      "threat model": Self.knowledge[d.knowledge] ?? d.knowledge.rawValue, "reads": d.channels.map(\.rawValue).joined(separator: ", "),
      "paper": d.paper,
      "deviations": d.deviations,
      "cost": d.cost,
    ]
    for (key, value) in d.settings { details["setting \(key)"] = value }
    if let occasion = d.occasion { details["occasion"] = Self.occasions[occasion] ?? occasion.rawValue }
    if let family = d.family { details["family"] = Self.families[family] ?? family.rawValue }
    if let roles = d.roles { details["roles"] = "active: for a \(roles.map(\.rawValue).joined(separator: " or ")) alone" }
    if d.isBaseline { details["control"] = "a control: it must not read private text" }
    return Item(name: d.name, summary: d.summary, details: details)
  }
}
