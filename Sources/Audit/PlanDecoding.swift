import Diagnostics
import SplitLearning

/// The keys of each map of a plan, in the order in which they are documented.
enum PlanKeys {
  static let plan = [
    "plan", "version", "description", "paper", "model", "threat_model", "dataset", "defense", "attack", "attacks", "metrics", "seeds",
    "sweep", "victim", "reference", "capture", "gradient_defense", "task", "inference",
  ]
  static let model = ["checkpoint", "partition"]
  static let partition = ["input", "output"]
  static let threatModel = ["role", "knowledge", "channels", "auxiliary", "noise"]
  static let dataset = ["name", "split", "path", "column", "limit", "min_tokens", "max_tokens", "repeats", "responses", "members"]
  static let capture = ["blocks", "heads", "batch", "client_blocks"]
  static let noise = ["mean_abs", "sigma", "relative", "epsilon", "delta", "clip"]
  /// Keys of which a defense takes one.
  static let noiseUnits = ["mean_abs", "sigma", "relative", "epsilon"]
}

extension AuditPlan {
  static let largestSeed = 1 << 53
  static let largestCount = 1_000_000

  /// Decodes and checks a tree. `cell` is true for one cell of a sweep: then every value must be there.
  init(tree: PlanNode, known: KnownNames, origin: String, cell: Bool) throws {
    let root = try PlanMap(tree, path: "", keys: PlanKeys.plan)
    (self.tree, self.known, self.origin) = (tree, known, origin)
    name = try AuditPlan.suiteName(root.required("plan", hint: "the name of the suite, for example plan: quickstart"))
    version = try root.optional("version")?.integer(in: 1...AuditPlan.largestCount) ?? 1
    description = try root.optional("description")?.text() ?? ""
    paper = try root.optional("paper")?.text()
    model = try ModelPlan(root.required("model"), known: known)
    dataset = try DatasetPlan(root.required("dataset"), known: known)
    threatModel = try AuditPlan.threatModel(root.optional("threat_model"), dataset: dataset, known: known)
    sweep = try root.optional("sweep").map { try SweepGrid.grids($0) } ?? []
    let sweptNoise = !cell && !sweep.isEmpty && sweep.allSatisfy { $0.axes.contains { $0.key.hasPrefix("defense.") } }
    defense = try root.optional("defense").map { try DefensePlan($0, known: known, mayLackNoise: sweptNoise) } ?? .none
    attacks = try AttackPlan.list(root, known: known, adversary: threatModel)
    inference = try AttackPlan.inference(root, known: known)
    metrics = try AuditPlan.metrics(root.optional("metrics"), known: known)
    seeds = try AuditPlan.seeds(root.optional("seeds"))
    reference = try root.optional("reference")?.integer(in: 0...1_000_000) ?? 0
    victim = try root.optional("victim").map { try VictimPlan($0) }
    capture = try root.optional("capture").map { try CapturePlan($0) }
    task = try root.optional("task").map { try TaskReference($0) }
    gradientDefense = try root.optional("gradient_defense").map { try GradientDefensePlan($0) }
    try checkInference(root)
    if cell { try checkEffects(root) }
    if !cell { _ = try cells() }
  }

  /// Refuses what would have no effect in a cell, and so would be taken for a measurement.
  private func checkEffects(_ root: PlanMap) throws {
    if reference > 0, !["none", "gaussian"].contains(defense.name), let value = root.optional("reference") {
      throw value.fault(
        "the Bayes reference knows Gaussian noise alone, and the defense is \(defense.name)", hint: "drop reference, or the defense")
    }
    if dataset.responses > 0, let batch = capture?.batch, batch > 1, let value = root.optional("capture") {
      throw value.fault(
        "capture.batch puts \(batch) documents into one message, but a document that is answered (dataset.responses) is one by itself",
        hint: "drop one of the two")
    }
    if gradientDefense != nil, !threatModel.channels.contains(where: \.isOfTraining), let value = root.optional("gradient_defense") {
      throw value.fault(
        "gradient_defense changes nothing that this plan's server is granted",
        hint: "grant \(Channel.outputGradients.rawValue) in threat_model.channels, or drop it")
    }
  }

  static func suiteName(_ value: PlanValue) throws -> String {
    let name = try value.text(limit: 64)
    let allowed = name.utf8.allSatisfy { "abcdefghijklmnopqrstuvwxyz0123456789-".utf8.contains($0) }
    guard allowed, name.first != "-" else {
      throw value.fault("\"\(value.path)\" names a folder: lowercase letters, digits and -, found \"\(name)\"")
    }
    return name
  }

  private static func threatModel(_ value: PlanValue?, dataset: DatasetPlan, known: KnownNames) throws -> ThreatModel {
    var model = ThreatModel(role: .honestButCuriousServer, knowledge: .k2, channels: [.inputHiddenStates])
    guard let value else { return model }
    let map = try PlanMap(value.node, path: value.path, keys: PlanKeys.threatModel)
    if let role = map.optional("role") {
      model.role = try ThreatModel.Role(rawValue: role.name("role", among: ThreatModel.Role.allCases.map(\.rawValue))) ?? model.role
    }
    if let level = map.optional("knowledge") {
      let names = ThreatModel.Knowledge.allCases.map(\.rawValue)
      model.knowledge = try ThreatModel.Knowledge(rawValue: level.name("knowledge level", among: names)) ?? model.knowledge
    }
    if let noise = map.optional("noise") {
      let names = ThreatModel.NoiseKnowledge.allCases.map(\.rawValue)
      model.noise = try ThreatModel.NoiseKnowledge(rawValue: noise.name("knowledge of the noise", among: names))
    }
    if let channels = map.optional("channels") {
      let names = Channel.allCases.map(\.rawValue)
      model.channels = try channels.list("channels").compactMap { try Channel(rawValue: $0.name("channel", among: names)) }
      guard Set(model.channels).count == model.channels.count else { throw channels.fault("\"\(channels.path)\" names a channel twice") }
    }
    if let hidden = model.channels.first(where: { !model.role.observable.contains($0) }) {
      throw (map.optional("channels") ?? value).fault(
        "a \(model.role.rawValue) does not come to see \(hidden.rawValue)",
        hint: "it sees \(model.role.observable.map(\.rawValue).joined(separator: ", "))")
    }
    if let auxiliary = map.optional("auxiliary") {
      let name = try auxiliary.name("data set", among: known.datasets.keys)
      if case .named(name, let split) = dataset.source, split != "private" {
        throw auxiliary.fault(
          "the attacker would learn from the texts under attack: \"\(name)\" is attacked on its split \"\(split)\"",
          hint: "attack dataset.split: private")
      }
      model.auxiliary = name
    }
    return model
  }

  private static func metrics(_ value: PlanValue?, known: KnownNames) throws -> [String] {
    guard let value else { return known.metrics.sorted() }
    if case .scalar(.string("all")) = value.node.content { return known.metrics.sorted() }
    let names = try value.list("metrics, or the word all").map { try $0.name("metric", among: known.metrics) }
    guard Set(names).count == names.count else { throw value.fault("\"\(value.path)\" names a metric twice") }
    return names
  }

  static func seeds(_ value: PlanValue?) throws -> [Int] {
    guard let value else { return [1] }
    if case .scalar = value.node.content { return [try value.integer(in: 0...largestSeed)] }
    let seeds = try value.list("integers").map { try $0.integer(in: 0...largestSeed) }
    guard Set(seeds).count == seeds.count else { throw value.fault("\"\(value.path)\" holds a seed twice") }
    return seeds
  }
}

extension ModelPlan {
  init(_ value: PlanValue, known: KnownNames) throws {
    let map = try PlanMap(value.node, path: value.path, keys: PlanKeys.model)
    let name = try map.required("checkpoint", hint: "known: \(known.checkpoints.sorted().joined(separator: ", "))")
    let text = try name.text()
    checkpoint = ModelPlan.isPath(text) ? text : try name.name("checkpoint", among: known.checkpoints)
    partition = PartitionPoints(input: 1, output: 1)
    guard let points = map.optional("partition") else { return }
    let inner = try PlanMap(points.node, path: points.path, keys: PlanKeys.partition)
    partition.input = try inner.optional("input")?.integer(in: 0...100_000) ?? 1
    partition.output = try inner.optional("output")?.integer(in: 0...100_000) ?? 1
  }
}

extension DatasetPlan {
  init(_ value: PlanValue, known: KnownNames) throws {
    let map = try PlanMap(value.node, path: value.path, keys: PlanKeys.dataset)
    let named = map.has("name")
    guard named != map.has("path") else {
      throw value.fault("\"\(value.path)\" takes either a name or a path", hint: "name: state-of-the-union, or path: my-texts.jsonl")
    }
    for key in named ? ["column"] : ["split"] where map.has(key) {
      throw try map.required(key).fault("\"\(map.name(key))\" does not go with a \(named ? "named data set" : "file of your own")")
    }
    if named {
      let name = try map.required("name").name("data set", among: known.datasets.keys)
      let splits = known.datasets[name] ?? []
      source = .named(name, split: try map.optional("split")?.name("split", among: splits) ?? "private")
      guard case .named(_, let split) = source, splits.contains(split) else {
        throw value.fault("data set \"\(name)\" has no split \"private\"", hint: "splits: \(splits.joined(separator: ", "))")
      }
    } else {
      source = .file(path: try map.required("path").text(), column: try map.optional("column")?.text(limit: 200))
    }
    limit = try map.optional("limit")?.integer(in: 1...AuditPlan.largestCount) ?? (named ? 12 : nil)
    minTokens = try map.optional("min_tokens")?.integer(in: 1...AuditPlan.largestCount) ?? (named ? 32 : 1)
    maxTokens = try map.optional("max_tokens")?.integer(in: 1...AuditPlan.largestCount) ?? max(minTokens, named ? 64 : 512)
    repeats = try map.optional("repeats")?.integer(in: 1...1_000) ?? 1
    responses = try map.optional("responses")?.integer(in: 0...4_096) ?? 0
    guard responses == 0 || repeats == 1 else { throw value.fault("responses are to documents that are sent once: repeats must be 1") }
    members = try map.optional("members")?.number(in: 0...1)
    guard minTokens <= maxTokens else { throw value.fault("min_tokens \(minTokens) is above max_tokens \(maxTokens)") }
  }
}
