import Diagnostics

/// Where a plan's task accuracies come from: a training plan that the audit runs, or the record of a run that is there.
package struct TaskReference: Sendable, Hashable {
  package enum Source: Sendable, Hashable {
    /// A training plan, and overrides of it (`task.path=FILE`).
    case plan(String, set: [String])
    /// training.json.
    case record(String)
  }

  package var source: Source

  init(_ value: PlanValue) throws {
    let map = try PlanMap(value.node, path: value.path, keys: ["plan", "set", "record"])
    guard map.has("plan") != map.has("record") else {
      throw value.fault("\"\(value.path)\" takes either a training plan or a record", hint: "plan: attacks/training/sentiment.yaml")
    }
    if let record = map.optional("record") {
      if let set = map.optional("set") { throw set.fault("\"\(set.path)\" goes with a plan, not with a record") }
      source = .record(try record.text())
    } else {
      source = .plan(try map.required("plan").text(), set: try map.optional("set")?.list("key=value").map { try $0.text() } ?? [])
    }
  }

  package var resolved: SettingValue {
    switch source {
    case .record(let path): .map(["record": .string(path)])
    case .plan(let path, let set): .map(["plan": .string(path), "set": .list(set.map { .string($0) })])
    }
  }
}
