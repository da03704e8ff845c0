import Crypto
import Diagnostics
import Foundation
import SplitLearning

extension PlanText {
  /// The text of a plan file. Throws `Fault` 66 when there is none, 65 when it cannot be a plan.
  static func read(_ path: String) throws -> String {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw Fault(.missingInput, "there is no such plan", at: path, hint: "plans are in attacks/")
    }
    let attributes = try? FileManager.default.attributesOfItem(atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
    guard attributes?[.type] as? FileAttributeType == .typeRegular else { throw Fault(.missingInput, "this is not a file", at: path) }
    guard let size = attributes?[.size] as? NSNumber, size.intValue <= PlanText.maximumBytes else {
      throw Fault(.invalidData, "the file has more than \(PlanText.maximumBytes) bytes: this is no plan", at: path)
    }
    guard let data = FileManager.default.contents(atPath: path) else { throw Fault(.missingInput, "the plan cannot be read", at: path) }
    guard let text = String(validating: data, as: UTF8.self) else { throw Fault(.invalidData, "the plan is not valid UTF-8", at: path) }
    return text
  }
}

extension AuditPlan {
  /// Reads and checks a plan file. Throws `Fault` 66 when there is none, 65 with file and line for everything wrong in it.
  package init(contentsOf path: String, known: KnownNames) throws {
    try self.init(yaml: PlanText.read(path), origin: path, known: known)
  }

  /// Decodes and checks YAML text; `origin` stands in front of the line in messages.
  package init(yaml text: String, origin: String, known: KnownNames) throws {
    try self.init(tree: PlanText.parse(text, origin: origin), known: known, origin: origin, cell: false)
  }

  /// The plan with `key=value` assignments (`--set`): dotted keys, values in YAML. A flag beats the file, so an assigned key leaves the
  /// sweep, and an assigned unit of noise takes the other units away. Throws `Fault` 64 for an assignment without `=`, 65 as decoding does.
  package func overriding(_ assignments: [String]) throws -> AuditPlan {
    var tree = tree
    for assignment in assignments {
      let place = "--set \(assignment.prefix(200))"
      let parts = assignment.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[0].isEmpty else {
        throw Fault(.usage, "an assignment reads key=value", at: place, hint: "for example --set dataset.limit=4")
      }
      let key = parts[0].trimmingCharacters(in: .whitespaces)
      guard let root = key.split(separator: ".").first.map(String.init), PlanKeys.plan.contains(root) else {
        throw Fault(.invalidData, "unknown key \"\(key)\"", at: place, hint: nameHint(key, among: PlanKeys.plan))
      }
      let value = try PlanText.parse(parts[1].isEmpty ? "~" : String(parts[1]), origin: place, showingLines: false)
      tree = try AuditPlan.assigning(value, to: key, in: tree)
      tree = AuditPlan.unsweeping(key, in: tree)
    }
    return try AuditPlan(tree: tree, known: known, origin: origin, cell: false)
  }

  /// Takes `key`, and with a unit of noise every other unit, out of every grid.
  static func unsweeping(_ key: String, in tree: PlanNode) -> PlanNode {
    guard key != "sweep", let sweep = tree.value(at: ["sweep"]) else { return tree }
    let units = PlanKeys.noiseUnits.map { "defense.\($0)" }
    let isGone: (String) -> Bool = { swept in
      swept == key || swept.hasPrefix("\(key).") || (units.contains(key) && (units.contains(swept) || swept == "defense.delta"))
    }
    var changed = sweep.removing(where: isGone)
    if case .list(let grids) = sweep.content {
      changed.content = .list(grids.map { $0.removing(where: isGone) })
    }
    return tree.setting(changed, at: ["sweep"]) ?? tree
  }

  /// The whole plan with every default spelled out, for the record. Decoding its JSON gives the same cells.
  package var resolved: SettingValue {
    var map: [String: SettingValue] = [
      "plan": .string(name), "version": .number(Double(version)), "description": description.isEmpty ? .null : .string(description),
      "paper": paper.map { .string($0) } ?? .null,
      "model": .map([
        "checkpoint": .string(model.checkpoint),
        "partition": .map([
          "input": .number(Double(model.partition.input)), "output": .number(Double(model.partition.output)),
        ]),
      ]),
      "threat_model": .map([
        "role": .string(threatModel.role.rawValue), "knowledge": .string(threatModel.knowledge.rawValue),
        "channels": .list(threatModel.channels.map { .string($0.rawValue) }),
        "auxiliary": threatModel.auxiliary.map { .string($0) } ?? .null,
      ]),
      "dataset": dataset.resolved, "defense": defense.resolved, "attacks": .list(attacks.map(\.resolved)),
      "metrics": .list(metrics.map { .string($0) }), "seeds": .list(seeds.map { .number(Double($0)) }),
    ]
    if reference > 0 { map["reference"] = .number(Double(reference)) }
    if !inference.isEmpty { map["inference"] = .list(inference.map(\.resolved)) }
    if let victim { map["victim"] = victim.resolved }
    if let capture { map["capture"] = capture.resolved }
    if let task { map["task"] = task.resolved }
    if let gradientDefense { map["gradient_defense"] = gradientDefense.resolved }
    if let noise = threatModel.noise, case .map(var inner)? = map["threat_model"] {
      inner["noise"] = .string(noise.rawValue)
      map["threat_model"] = .map(inner)
    }
    if !sweep.isEmpty {
      map["sweep"] = .list(sweep.map { grid in .map(Dictionary(grid.axes.map { ($0.key, .list($0.values)) }) { _, last in last }) })
    }
    return .map(map)
  }

  /// `resolved` as JSON: keys sorted, no spaces. Equal plans give equal bytes.
  package var canonicalJSON: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(resolved) else { preconditionFailure("a resolved plan holds only finite numbers") }
    return String(decoding: data, as: UTF8.self)
  }

  /// SHA-256 of `canonicalJSON`, lowercase hex.
  package var sha256: String {
    SHA256.hash(data: Data(canonicalJSON.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}

extension DatasetPlan {
  package var resolved: SettingValue {
    var map: [String: SettingValue] = [
      "limit": limit.map { .number(Double($0)) } ?? .null, "min_tokens": .number(Double(minTokens)),
      "max_tokens": .number(Double(maxTokens)),
    ]
    if repeats > 1 { map["repeats"] = .number(Double(repeats)) }
    if let members { map["members"] = .number(members) }
    if responses > 0 { map["responses"] = .number(Double(responses)) }
    switch source {
    case .named(let name, let split): (map["name"], map["split"]) = (.string(name), .string(split))
    case .file(let path, let column): (map["path"], map["column"]) = (.string(path), column.map { .string($0) } ?? .null)
    }
    return .map(map)
  }
}

extension DefensePlan {
  package var resolved: SettingValue {
    var map = settings
    map["name"] = .string(name)
    for (key, value) in noise?.keys ?? [:] { map[key] = .number(value) }
    if let clip { map["clip"] = .number(clip) }
    return .map(map)
  }
}

extension AttackPlan {
  package var resolved: SettingValue {
    var map = settings
    map["name"] = .string(name)
    if let documents { map["documents"] = .number(Double(documents)) }
    return .map(map)
  }
}
